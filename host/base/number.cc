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

// The eight digits of a number below 10^8 as bytes 0 … 9, the first digit in the lowest byte: quotients of all places at
// once, in lanes of 32, 16 and 8 bits. The reciprocals are exact for these ranges.
inline uint64_t digits8(uint32_t value) {
    uint64_t fours = value / 10000 | static_cast<uint64_t>(value % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & 0x7F0000007F;
    uint64_t twos = hundreds | (fours - 100 * hundreds) << 16;
    uint64_t tens = (twos * 103 >> 10) & 0x000F000F000F000F;
    return tens | (twos - 10 * tens) << 8;
}
constexpr uint64_t ascii_zeros = 0x3030303030303030;

// Writes eight bytes, of which the first ones count.
inline size_t below_1e8_to_text(uint32_t value, char *to) {
    uint64_t digits = digits8(value);
    unsigned leading = static_cast<unsigned>(__builtin_ctzll(digits | UINT64_C(1) << 56)) / 8;
    digits = (digits | ascii_zeros) >> (8 * leading);
    std::memcpy(to, &digits, sizeof digits);
    return 8 - leading;
}

inline size_t unsigned_to_text(uint64_t value, char *to) {
    if (value < 10) {
        *to = static_cast<char>('0' + value);
        return 1;
    }
    if (value < 100) {
        std::memcpy(to, pairs + 2 * value, 2);
        return 2;
    }
    if (value < 100000000) return below_1e8_to_text(static_cast<uint32_t>(value), to);
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

// 10^j, j <= 17, and 5^j shifted until its highest bit is bit 63: 10^j to 64 bits, exactly.
struct Powers {
    uint64_t ten[18] = {}, normal[21] = {};
    constexpr Powers() {
        uint64_t tens = 1, fives = 1;
        for (int j = 0; j < 18; j++, tens *= 10) ten[j] = tens;
        for (int j = 0; j < 21; j++, fives *= 5) {
            uint64_t shifted = fives;
            while (shifted >> 63 == 0) shifted <<= 1;
            normal[j] = shifted;
        }
    }
};
constexpr Powers powers;

// power * value / 2^64, with the lowest bit set when something was cut off.
inline uint64_t scaled_to_odd(uint64_t power, uint64_t value) {
    __extension__ auto product = static_cast<unsigned __int128>(power) * value;
    return static_cast<uint64_t>(product >> 64) | (static_cast<uint64_t>(product) != 0);
}

// The shortest digits that read back to a double between 0.001 and 10^9 that is not a whole number: digits * 10^-places.
// The method is Giulietti's (The Schubfach way to render doubles, 2020). In this range its powers of ten are exact in 64 bits, so
// nothing is estimated: vb is four times the double in units of the last place that can matter, lower and upper the ends of what
// rounds to it.
inline uint64_t shortest_digits(uint64_t bits, int *places) {
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1), c = fraction | UINT64_C(1) << 52;
    int q = static_cast<int>(bits >> 52) - 1075;
    bool closer = fraction == 0;                         // the double below is half as far away as the one above
    int k = (q * 1262611 - (closer ? 524031 : 0)) >> 22; // floor(log10(2^q)), or of 3/4 of it
    int h = q + (-k * 1741647 >> 19) + 1;                // floor(log2(10^-k))
    uint64_t power = powers.normal[-k], odd = c & 1;
    uint64_t lower = scaled_to_odd(power, (4 * c - 2 + closer) << h) + odd, vb = scaled_to_odd(power, (4 * c) << h),
             upper = scaled_to_odd(power, (4 * c + 2) << h) - odd;
    // One digit less where exactly one such number lies between the ends; else that number of all digits which does, or the nearer
    // one. Which it is cannot be foreseen, so all are made and one is taken, without a jump.
    uint64_t s = vb / 4, tens = s / 10, middle = 4 * s + 2;
    uint64_t short_below = lower <= 40 * tens, short_above = 40 * tens + 40 <= upper;
    uint64_t below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    uint64_t nearer = (vb > middle) | ((vb == middle) & s & 1);
    uint64_t full = s + ((below ^ above) != 0 ? above : nearer), is_short = short_below ^ short_above;
    *places = -k - static_cast<int>(is_short);
    return is_short != 0 ? tens + short_above : full;
}

// Between 0.001 and 10^9 no exponent is shorter, so the point is where it belongs.
inline size_t fraction_to_text(double value, char *to) {
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    char *at = to;
    *at = '-';
    at += bits >> 63;
    int places;
    // No whole number lies between the double and its digits, for whole numbers are doubles: both begin with the same one.
    uint64_t digits = shortest_digits(bits & ~(UINT64_C(1) << 63), &places),
             whole = static_cast<uint64_t>(std::fabs(value));
    if (whole != 0) digits -= whole * powers.ten[places];
    if (whole < 10) *at++ = static_cast<char>('0' + whole);
    else at += unsigned_to_text(whole, at);
    *at++ = '.';
    if (places > 16) { // at most four in front of the last sixteen
        uint64_t front = digits / powers.ten[16];
        digits -= front * powers.ten[16];
        for (int i = places - 17; i >= 0; i--, front /= 10) at[i] = static_cast<char>('0' + front % 10);
        at += places - 16;
        places = 16;
    }
    digits *= powers.ten[16 - places];
    uint64_t high = digits8(static_cast<uint32_t>(digits / 100000000)),
             low = digits8(static_cast<uint32_t>(digits % 100000000));
    uint64_t text[2] = {high | ascii_zeros, low | ascii_zeros};
    std::memcpy(at, text, sizeof text);
    at += 8; // without zeros at the end
    if (low != 0) return static_cast<size_t>(at - to) + 8 - static_cast<size_t>(__builtin_clzll(low)) / 8;
    if (high != 0) return static_cast<size_t>(at - to) - static_cast<size_t>(__builtin_clzll(high)) / 8;
    at -= 8; // only digits in front, the last of them not a zero
    while (at[-1] == '0') at--;
    return static_cast<size_t>(at - to);
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
        double size = std::fabs(value);
        if (size > 0.001 && size < 1e9) return fraction_to_text(value, to);
        if (size < 1e13) { // 15 digits
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
    if (scale == 2 && value % 100 != 0) return hundredths_to_text(value, to);
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
