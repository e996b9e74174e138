/* generate/text.c: rows as CSV and NDJSON. Every field is an integer or a name of our own, so nothing needs quoting, and
 * fractions are written from integers: amounts with two digits, degrees with five less their trailing zeros, which is
 * the shortest text of the nearest double as well. */
#include "generate/generate.h"

#include <string.h>

const char ride_generate_csv_header[] = "tx_id,ts,card,terminal,amount,currency,mcc,channel,country,lat,lon,is_fraud\n";
const char ride_generate_labels_csv_header[] = "tx_id,reported_at,is_fraud,reason\n";

static char *put_text(char *p, const char *text) {
    size_t n = strlen(text);
    memcpy(p, text, n);
    return p + n;
}
#define PUT(p, literal) (memcpy((p), (literal), sizeof(literal) - 1), (p) + sizeof(literal) - 1)

static char *put_u64(char *p, uint64_t value) {
    static const char pairs[201] =
        "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
        "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
    char digits[20];
    size_t at = sizeof digits;
    while (value >= 100) {
        uint64_t rest = value % 100;
        value /= 100;
        at -= 2;
        memcpy(digits + at, pairs + 2 * rest, 2);
    }
    if (value >= 10) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * value, 2);
    } else {
        digits[--at] = (char)('0' + value);
    }
    memcpy(p, digits + at, sizeof digits - at);
    return p + sizeof digits - at;
}

static char *put_card(char *p, uint32_t customer) {
    p = PUT(p, "c_");
    for (int i = 7; i >= 0; i--) {
        p[i] = (char)('0' + customer % 10);
        customer /= 10;
    }
    return p + 8;
}

static char *put_amount(char *p, int64_t minor) {
    p = put_u64(p, (uint64_t)minor / 100);
    *p++ = '.';
    *p++ = (char)('0' + minor / 10 % 10);
    *p++ = (char)('0' + minor % 10);
    return p;
}

static char *put_degrees(char *p, int32_t e5) {
    uint32_t size = e5 < 0 ? 0u - (uint32_t)e5 : (uint32_t)e5;
    if (e5 < 0) *p++ = '-';
    p = put_u64(p, size / 100000);
    uint32_t rest = size % 100000;
    if (rest == 0) return p;
    *p++ = '.';
    for (uint32_t unit = 10000; rest != 0; unit /= 10) {
        // cppcheck-suppress zerodivcond ; rest % 1 is 0 before unit is
        *p++ = (char)('0' + rest / unit);
        rest %= unit;
    }
    return p;
}

size_t ride_generate_row_csv(const ride_generated *row, char *text) {
    char *p = put_u64(text, row->tx_id);
    *p++ = ',';
    p = put_u64(p, (uint64_t)row->ts_ms);
    *p++ = ',';
    p = put_card(p, row->customer);
    *p++ = ',';
    p = put_u64(p, row->terminal);
    *p++ = ',';
    p = put_amount(p, row->amount_minor);
    *p++ = ',';
    p = put_text(p, row->currency);
    *p++ = ',';
    p = put_u64(p, row->mcc);
    *p++ = ',';
    p = put_text(p, ride_channel_name(row->channel));
    *p++ = ',';
    p = put_text(p, row->country);
    *p++ = ',';
    if (row->has_place) p = put_degrees(p, row->lat_e5);
    *p++ = ',';
    if (row->has_place) p = put_degrees(p, row->lon_e5);
    *p++ = ',';
    *p++ = row->is_fraud ? '1' : '0';
    *p++ = '\n';
    return (size_t)(p - text);
}

size_t ride_generate_row_ndjson(const ride_generated *row, char *text) {
    char *p = PUT(text, "{\"tx_id\":");
    p = put_u64(p, row->tx_id);
    p = PUT(p, ",\"ts\":");
    p = put_u64(p, (uint64_t)row->ts_ms);
    p = PUT(p, ",\"card\":\"");
    p = put_card(p, row->customer);
    p = PUT(p, "\",\"terminal\":");
    p = put_u64(p, row->terminal);
    p = PUT(p, ",\"amount\":");
    p = put_amount(p, row->amount_minor);
    p = PUT(p, ",\"currency\":\"");
    p = put_text(p, row->currency);
    p = PUT(p, "\",\"mcc\":");
    p = put_u64(p, row->mcc);
    p = PUT(p, ",\"channel\":\"");
    p = put_text(p, ride_channel_name(row->channel));
    p = PUT(p, "\",\"country\":\"");
    p = put_text(p, row->country);
    if (row->has_place) {
        p = PUT(p, "\",\"lat\":");
        p = put_degrees(p, row->lat_e5);
        p = PUT(p, ",\"lon\":");
        p = put_degrees(p, row->lon_e5);
        p = PUT(p, ",\"is_fraud\":");
    } else {
        p = PUT(p, "\",\"lat\":null,\"lon\":null,\"is_fraud\":");
    }
    p = put_text(p, row->is_fraud ? "true}\n" : "false}\n");
    return (size_t)(p - text);
}

size_t ride_generate_label_csv(const ride_generated_label *label, char *text) {
    char *p = put_u64(text, label->tx_id);
    *p++ = ',';
    p = put_u64(p, (uint64_t)label->reported_ms);
    *p++ = ',';
    *p++ = label->is_fraud ? '1' : '0';
    *p++ = ',';
    p = put_text(p, label->is_fraud ? ride_fraud_kind_name(label->fraud_kind) : "cleared");
    *p++ = '\n';
    return (size_t)(p - text);
}

size_t ride_generate_label_ndjson(const ride_generated_label *label, char *text) {
    char *p = PUT(text, "{\"tx_id\":");
    p = put_u64(p, label->tx_id);
    p = PUT(p, ",\"reported_at\":");
    p = put_u64(p, (uint64_t)label->reported_ms);
    p = PUT(p, ",\"is_fraud\":");
    p = put_text(p, label->is_fraud ? "true" : "false");
    p = PUT(p, ",\"reason\":\"");
    p = put_text(p, label->is_fraud ? ride_fraud_kind_name(label->fraud_kind) : "cleared");
    p = PUT(p, "\"}\n");
    return (size_t)(p - text);
}
