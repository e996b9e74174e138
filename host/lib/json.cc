// lib/json.cc: shim over simdjson's on-demand reader. On demand means that a value nobody asks for is not checked, so
// every value is asked for here: members of other people's objects must be JSON too.
#include "lib/json.h"

#include <algorithm>
#include <cstring>
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

// The bytes of the string that begins behind a quote at `text`, when it has no escapes and may be taken as it lies there; else
// SIZE_MAX. Reads up to 7 bytes behind `end`.
size_t plain_bytes(const char *text, const char *end) {
    auto has = [](uint64_t word, uint64_t byte) { // the lowest bit that is set is exact
        uint64_t zero = word ^ byte * UINT64_C(0x0101010101010101);
        return (zero - UINT64_C(0x0101010101010101)) & ~zero & UINT64_C(0x8080808080808080);
    };
    for (const char *at = text; at < end; at += 8) {
        uint64_t word;
        std::memcpy(&word, at, sizeof word); // little-endian
        uint64_t found = has(word, '"') | has(word, '\\');
        if (found == 0) continue;
        at += __builtin_ctzll(found) / 8;
        return at < end && *at == '"' ? static_cast<size_t>(at - text) : SIZE_MAX;
    }
    return SIZE_MAX;
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
bool read_value(ondemand::value value, const char *begin, const char *end, ride_json_member *out) {
    ondemand::json_type type;
    if (value.type().get(type) != simdjson::SUCCESS) return false;
    std::string_view token = trimmed(value.raw_json_token());
    out->offset = static_cast<uint32_t>(token.data() - begin);
    out->raw_bytes = static_cast<uint32_t>(token.size());
    std::string_view text = token;
    switch (type) {
    case ondemand::json_type::string: {
        out->type = RIDE_JSON_STRING;
        size_t plain = plain_bytes(token.data() + 1, end);
        if (plain + 2 == token.size()) text = token.substr(1, plain);
        else if (value.get_string().get(text) != simdjson::SUCCESS) return false;
        break;
    }
    case ondemand::json_type::number:
        out->type = RIDE_JSON_NUMBER;
        if (!is_number(token)) return false;
        break;
    case ondemand::json_type::boolean:
        out->type = RIDE_JSON_BOOL;
        if (token != "true" && token != "false") return false;
        break;
    case ondemand::json_type::null:
        out->type = RIDE_JSON_NULL;
        if (token != "null") return false;
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

ride_json_type type_of(ondemand::json_type type) {
    switch (type) {
    case ondemand::json_type::null: return RIDE_JSON_NULL;
    case ondemand::json_type::boolean: return RIDE_JSON_BOOL;
    case ondemand::json_type::number: return RIDE_JSON_NUMBER;
    case ondemand::json_type::string: return RIDE_JSON_STRING;
    default: return RIDE_JSON_NESTED;
    }
}

// Checks a value and finds where it begins and ends: what is not white space before the next token.
// The reader may go on beyond an end that is missing, by what stands behind the text or at its beginning: no piece is there.
bool cut(ondemand::document &document, ondemand::value value, std::string_view whole, ride_json_piece *out) {
    ondemand::json_type type;
    if (value.type().get(type) != simdjson::SUCCESS) return false;
    std::string_view token = value.raw_json_token(), text = trimmed(token);
    if (!check(value, 2)) return false;
    if (type == ondemand::json_type::object || type == ondemand::json_type::array) { // the token was its bracket only
        const char *end;
        if (document.current_location().get(end) != simdjson::SUCCESS || end <= token.data() ||
            end >= whole.data() + whole.size())
            return false;
        text = trimmed({token.data(), static_cast<size_t>(end - token.data())});
    }
    out->type = type_of(type);
    out->offset = static_cast<uint32_t>(text.data() - whole.data());
    out->bytes = static_cast<uint32_t>(text.size());
    return true;
}

ride_json_result begin(ride_json_parser *parser, const char *text, size_t bytes) {
    static_assert(RIDE_JSON_PADDING >= simdjson::SIMDJSON_PADDING, "what simdjson reads beyond a text");
    simdjson::padded_string_view view(text, bytes, bytes + RIDE_JSON_PADDING);
    auto error = parser->reader.iterate(view).get(parser->document);
    return error == simdjson::UTF8_ERROR ? RIDE_JSON_BAD_UTF8
           : error != simdjson::SUCCESS  ? RIDE_JSON_BAD
                                         : RIDE_JSON_OK;
}

struct walker {
    const char *begin, *end;
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
        if (!read_value(value, w.begin, w.end, &found)) return false;
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
    ride_json_result begun = begin(parser, text, bytes);
    if (begun != RIDE_JSON_OK) return begun;
    auto error = parser->document.get_object().get(*out);
    if (error == simdjson::INCORRECT_TYPE) return RIDE_JSON_NOT_OBJECT;
    return error == simdjson::SUCCESS ? RIDE_JSON_OK : RIDE_JSON_BAD;
}

// Nothing may follow: there is no place to read on at.
ride_json_result end(ride_json_parser *parser) {
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
        ondemand::raw_json_string raw;
        std::string_view key;
        ondemand::value value;
        ride_json_member found = {};
        if (field.key().get(raw) != simdjson::SUCCESS) return RIDE_JSON_BAD;
        size_t plain = plain_bytes(raw.raw(), text + bytes);
        if (plain != SIZE_MAX) key = std::string_view(raw.raw(), plain);
        else if (field.unescaped_key().get(key) != simdjson::SUCCESS) return RIDE_JSON_BAD;
        if (field.value().get(value) != simdjson::SUCCESS || !read_value(value, text, text + bytes, &found))
            return RIDE_JSON_BAD;
        found.key = key.data();
        found.key_bytes = static_cast<uint32_t>(key.size());
        member(context, &found);
    }
    return end(parser);
}

ride_json_result ride_json_members(ride_json_parser *parser, const char *text, size_t bytes, ride_json_piece_fn piece,
                                   void *context) {
    ride_json_result begun = begin(parser, text, bytes);
    if (begun != RIDE_JSON_OK) return begun;
    ondemand::object object;
    auto error = parser->document.get_object().get(object);
    if (error != simdjson::SUCCESS) return error == simdjson::INCORRECT_TYPE ? RIDE_JSON_NOT_OBJECT : RIDE_JSON_BAD;
    for (auto field : object) {
        std::string_view key;
        ondemand::value value;
        ride_json_piece found = {};
        if (field.unescaped_key().get(key) != simdjson::SUCCESS || field.value().get(value) != simdjson::SUCCESS ||
            !cut(parser->document, value, {text, bytes}, &found))
            return RIDE_JSON_BAD;
        found.key = key.data();
        found.key_bytes = static_cast<uint32_t>(key.size());
        if (!piece(context, &found)) return RIDE_JSON_STOPPED;
    }
    return end(parser);
}

ride_json_result ride_json_elements(ride_json_parser *parser, const char *text, size_t bytes, ride_json_piece_fn piece,
                                    void *context) {
    ride_json_result begun = begin(parser, text, bytes);
    if (begun != RIDE_JSON_OK) return begun;
    ondemand::array array;
    auto error = parser->document.get_array().get(array);
    if (error != simdjson::SUCCESS) return error == simdjson::INCORRECT_TYPE ? RIDE_JSON_NOT_ARRAY : RIDE_JSON_BAD;
    for (auto element : array) {
        ondemand::value value;
        ride_json_piece found = {};
        if (element.get(value) != simdjson::SUCCESS || !cut(parser->document, value, {text, bytes}, &found))
            return RIDE_JSON_BAD;
        if (!piece(context, &found)) return RIDE_JSON_STOPPED;
    }
    return end(parser);
}

bool ride_json_string(ride_json_parser *parser, const char *text, size_t text_bytes, char *to, size_t to_bytes_max,
                      size_t *bytes) {
    std::string_view found;
    if (begin(parser, text, text_bytes) != RIDE_JSON_OK ||
        parser->document.get_string().get(found) != simdjson::SUCCESS || found.size() > to_bytes_max)
        return false;
    std::copy(found.begin(), found.end(), to);
    *bytes = found.size();
    return true;
}

ride_json_result ride_json_walk(ride_json_parser *parser, const char *text, size_t bytes, ride_json_walk_fn member,
                                void *context) {
    ondemand::object object;
    ride_json_result result = open_object(parser, text, bytes, &object);
    if (result != RIDE_JSON_OK) return result;
    return walk_object({text, text + bytes, member, context}, object, 1) ? end(parser) : RIDE_JSON_BAD;
}
