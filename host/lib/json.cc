// lib/json.cc: shim over simdjson's on-demand reader. On demand means that a value nobody asks for is not checked, so
// every value is asked for here: members of other people's objects must be JSON too.
#include "lib/json.h"

#include <new>
#include <simdjson.h>

namespace ondemand = simdjson::ondemand;

struct ride_json_parser {
    ondemand::parser reader;
    ondemand::document document;
};

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The grammar of RFC 8259: no sign but minus, no leading zero, digits on both sides of the point.
bool is_number(std::string_view text) {
    size_t at = 0, end = text.size();
    auto digits = [&] {
        size_t first = at;
        while (at < end && is_digit(text[at])) at++;
        return at > first;
    };
    if (at < end && text[at] == '-') at++;
    if (at < end && text[at] == '0') at++;
    else if (!digits()) return false;
    if (at < end && text[at] == '.') {
        at++;
        if (!digits()) return false;
    }
    if (at < end && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < end && (text[at] == '+' || text[at] == '-')) at++;
        if (!digits()) return false;
    }
    return at == end;
}

std::string_view trimmed(std::string_view token) {
    while (!token.empty() &&
           (token.back() == ' ' || token.back() == '\t' || token.back() == '\r' || token.back() == '\n'))
        token.remove_suffix(1);
    return token;
}

// Checks a value that nobody wants, all of it.
bool check(ondemand::value value, unsigned depth) {
    ondemand::json_type type;
    if (value.type().get(type) != simdjson::SUCCESS || depth > RIDE_JSON_DEPTH_MAX) return false;
    switch (type) {
    case ondemand::json_type::object: {
        ondemand::object object;
        if (value.get_object().get(object) != simdjson::SUCCESS) return false;
        for (auto field : object) {
            ondemand::value inner;
            std::string_view key;
            if (field.unescaped_key().get(key) != simdjson::SUCCESS || field.value().get(inner) != simdjson::SUCCESS ||
                !check(inner, depth + 1))
                return false;
        }
        return true;
    }
    case ondemand::json_type::array: {
        ondemand::array array;
        if (value.get_array().get(array) != simdjson::SUCCESS) return false;
        for (auto element : array) {
            ondemand::value inner;
            if (element.get(inner) != simdjson::SUCCESS || !check(inner, depth + 1)) return false;
        }
        return true;
    }
    case ondemand::json_type::string: {
        std::string_view text;
        return value.get_string().get(text) == simdjson::SUCCESS;
    }
    case ondemand::json_type::number: return is_number(trimmed(value.raw_json_token()));
    case ondemand::json_type::boolean: {
        bool flag;
        return value.get_bool().get(flag) == simdjson::SUCCESS;
    }
    case ondemand::json_type::null: {
        bool is_null;
        return value.is_null().get(is_null) == simdjson::SUCCESS && is_null;
    }
    }
    return false;
}

// Fills the member's value; false when it is not JSON.
bool read_value(ondemand::value value, const char *begin, ride_json_member *out) {
    ondemand::json_type type;
    if (value.type().get(type) != simdjson::SUCCESS) return false;
    std::string_view token = trimmed(value.raw_json_token());
    out->offset = static_cast<uint32_t>(token.data() - begin);
    out->raw_bytes = static_cast<uint32_t>(token.size());
    std::string_view text = token;
    switch (type) {
    case ondemand::json_type::string:
        out->type = RIDE_JSON_STRING;
        if (value.get_string().get(text) != simdjson::SUCCESS) return false;
        break;
    case ondemand::json_type::number:
        out->type = RIDE_JSON_NUMBER;
        if (!is_number(token)) return false;
        break;
    case ondemand::json_type::boolean:
        out->type = RIDE_JSON_BOOL;
        if (!check(value, 1)) return false;
        break;
    case ondemand::json_type::null:
        out->type = RIDE_JSON_NULL;
        if (!check(value, 1)) return false;
        break;
    default:
        out->type = RIDE_JSON_NESTED;
        out->raw_bytes = 0;
        text = {};
        if (!check(value, 2)) return false;
        break;
    }
    out->text = text.data();
    out->bytes = static_cast<uint32_t>(text.size());
    return true;
}

struct walker {
    const char *begin;
    ride_json_walk_fn member;
    void *context;
};

bool walk(const walker &w, ondemand::value value, std::string_view key, unsigned depth);

bool walk_object(const walker &w, ondemand::object object, unsigned depth) {
    for (auto field : object) {
        std::string_view key;
        ondemand::value inner;
        if (field.unescaped_key().get(key) != simdjson::SUCCESS || field.value().get(inner) != simdjson::SUCCESS ||
            !walk(w, inner, key, depth))
            return false;
    }
    return true;
}

bool walk(const walker &w, ondemand::value value, std::string_view key, unsigned depth) {
    ondemand::json_type type;
    if (depth > RIDE_JSON_DEPTH_MAX || value.type().get(type) != simdjson::SUCCESS) return false;
    ride_json_member found = {};
    found.key = key.data();
    found.key_bytes = static_cast<uint32_t>(key.size());
    if (type != ondemand::json_type::object && type != ondemand::json_type::array) {
        if (!read_value(value, w.begin, &found)) return false;
        w.member(w.context, depth, &found);
        return true;
    }
    found.type = RIDE_JSON_NESTED;
    found.offset = static_cast<uint32_t>(value.raw_json_token().data() - w.begin);
    w.member(w.context, depth, &found);
    if (type == ondemand::json_type::object) {
        ondemand::object object;
        return value.get_object().get(object) == simdjson::SUCCESS && walk_object(w, object, depth + 1);
    }
    ondemand::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) return false;
    for (auto element : array) {
        ondemand::value inner;
        if (element.get(inner) != simdjson::SUCCESS || !walk(w, inner, {}, depth + 1)) return false;
    }
    return true;
}

// The object that a text is, or why it is none.
ride_json_result open_object(ride_json_parser *parser, const char *text, size_t bytes, ondemand::object *out) {
    static_assert(RIDE_JSON_PADDING >= simdjson::SIMDJSON_PADDING, "what simdjson reads beyond a text");
    simdjson::padded_string_view view(text, bytes, bytes + RIDE_JSON_PADDING);
    auto error = parser->reader.iterate(view).get(parser->document);
    if (error == simdjson::UTF8_ERROR) return RIDE_JSON_BAD_UTF8;
    if (error != simdjson::SUCCESS) return RIDE_JSON_BAD;
    error = parser->document.get_object().get(*out);
    if (error == simdjson::INCORRECT_TYPE) return RIDE_JSON_NOT_OBJECT;
    return error == simdjson::SUCCESS ? RIDE_JSON_OK : RIDE_JSON_BAD;
}

// Nothing may follow: there is no place to read on at.
ride_json_result at_end(ride_json_parser *parser) {
    return parser->document.current_location().error() == simdjson::OUT_OF_BOUNDS ? RIDE_JSON_OK : RIDE_JSON_BAD;
}

} // namespace

ride_status ride_json_parser_create(size_t text_bytes_max, ride_json_parser **out, ride_error *err) {
    auto *parser = new (std::nothrow) ride_json_parser;
    // A capacity below one SIMD block would be grown by the first text.
    size_t capacity = text_bytes_max < 4096 ? 4096 : text_bytes_max;
    if (parser == nullptr || parser->reader.allocate(capacity) != simdjson::SUCCESS) {
        delete parser;
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a JSON reader");
    }
    *out = parser;
    return RIDE_OK;
}

void ride_json_parser_destroy(ride_json_parser *parser) { delete parser; }

ride_json_result ride_json_object(ride_json_parser *parser, const char *text, size_t bytes, ride_json_member_fn member,
                                  void *context) {
    ondemand::object object;
    ride_json_result result = open_object(parser, text, bytes, &object);
    if (result != RIDE_JSON_OK) return result;
    for (auto field : object) {
        std::string_view key;
        ondemand::value value;
        ride_json_member found = {};
        if (field.unescaped_key().get(key) != simdjson::SUCCESS || field.value().get(value) != simdjson::SUCCESS ||
            !read_value(value, text, &found))
            return RIDE_JSON_BAD;
        found.key = key.data();
        found.key_bytes = static_cast<uint32_t>(key.size());
        member(context, &found);
    }
    return at_end(parser);
}

ride_json_result ride_json_walk(ride_json_parser *parser, const char *text, size_t bytes, ride_json_walk_fn member,
                                void *context) {
    ondemand::object object;
    ride_json_result result = open_object(parser, text, bytes, &object);
    if (result != RIDE_JSON_OK) return result;
    return walk_object({text, member, context}, object, 1) ? at_end(parser) : RIDE_JSON_BAD;
}
