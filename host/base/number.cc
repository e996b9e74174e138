// base/number.cc: <charconv> does the hard cases; the common ones (counts, amounts) have shorter ways before it.
#include "base/number.h"

#include <charconv>
#include <cmath>
#include <cstring>

namespace {

constexpr double exact_below = 9007199254740992.0; // 2^53

const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748"
    "49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697"
    "9899";

inline size_t unsigned_to_text(uint64_t value, char *to) {
    if (value < 10) {
        *to = static_cast<char>('0' + value);
        return 1;
    }
    if (value < 100) {
        std::memcpy(to, pairs + 2 * value, 2);
        return 2;
    }
    return static_cast<size_t>(std::to_chars(to, to + RIDE_NUMBER_BYTES, value).ptr - to);
}

inline size_t signed_to_text(int64_t value, char *to) {
    if (value >= 0) return unsigned_to_text(static_cast<uint64_t>(value), to);
    *to = '-';
    return 1 + unsigned_to_text(0 - static_cast<uint64_t>(value), to + 1);
}

// value / 100, not a whole number. Of decimals with at most 15 digits no two are the same double, so when m / 100 gives
// the double back, its digits are the shortest that do.
inline size_t hundredths_to_text(int64_t value, char *to) {
    char *at = to;
    uint64_t size = static_cast<uint64_t>(value);
    if (value < 0) {
        *at++ = '-';
        size = 0 - size;
    }
    at += unsigned_to_text(size / 100, at);
    *at++ = '.';
    std::memcpy(at, pairs + 2 * (size % 100), 2);
    return static_cast<size_t>(at + (at[1] == '0' ? 1 : 2) - to);
}

template <typename T> bool read(const char *text, size_t bytes, T *out) {
    T value;
    auto [end, error] = std::from_chars(text, text + bytes, value);
    if (error != std::errc() || end != text + bytes) return false;
    *out = value;
    return true;
}

template <typename T> bool read_finite(const char *text, size_t bytes, T *out) {
    T value;
    if (!read(text, bytes, &value) || !std::isfinite(value)) return false;
    *out = value;
    return true;
}

} // namespace

size_t ride_double_to_text(double value, char *to) {
    if (std::fabs(value) < exact_below) {
        auto whole = static_cast<int64_t>(value);
        if (static_cast<double>(whole) == value && !(whole == 0 && std::signbit(value)))
            return signed_to_text(whole, to);
        if (std::fabs(value) < 1e13) { // 15 digits
            auto m = static_cast<int64_t>(value * 100 + (value < 0 ? -0.5 : 0.5));
            if (m != 0 && static_cast<double>(m) / 100 == value) return hundredths_to_text(m, to);
        }
    }
    return static_cast<size_t>(std::to_chars(to, to + RIDE_NUMBER_BYTES, value).ptr - to);
}

size_t ride_float_to_text(float value, char *to) {
    if (std::fabs(value) < 16777216.0f) {
        auto whole = static_cast<int32_t>(value);
        if (static_cast<float>(whole) == value && !(whole == 0 && std::signbit(value)))
            return signed_to_text(whole, to);
    }
    return static_cast<size_t>(std::to_chars(to, to + RIDE_NUMBER_BYTES, value).ptr - to);
}

size_t ride_i64_to_text(int64_t value, char *to) { return signed_to_text(value, to); }
size_t ride_u64_to_text(uint64_t value, char *to) { return unsigned_to_text(value, to); }

size_t ride_decimal_to_text(int64_t value, uint32_t scale, char *to) {
    char digits[RIDE_NUMBER_BYTES];
    char *at = to;
    uint64_t size = static_cast<uint64_t>(value);
    if (value < 0) {
        *at++ = '-';
        size = 0 - size;
    }
    for (; scale > 0 && size % 10 == 0; scale--) size /= 10;
    size_t count = unsigned_to_text(size, digits);
    if (count <= scale) { // 0.0085
        *at++ = '0';
        *at++ = '.';
        std::memset(at, '0', scale - count);
        at += scale - count;
        std::memcpy(at, digits, count);
        return static_cast<size_t>(at + count - to);
    }
    std::memcpy(at, digits, count - scale);
    at += count - scale;
    if (scale > 0) {
        *at++ = '.';
        std::memcpy(at, digits + count - scale, scale);
        at += scale;
    }
    return static_cast<size_t>(at - to);
}

bool ride_text_to_double(const char *text, size_t bytes, double *out) { return read_finite(text, bytes, out); }
bool ride_text_to_float(const char *text, size_t bytes, float *out) { return read_finite(text, bytes, out); }
bool ride_text_to_i64(const char *text, size_t bytes, int64_t *out) { return read(text, bytes, out); }
bool ride_text_to_u64(const char *text, size_t bytes, uint64_t *out) { return read(text, bytes, out); }
