/* generate/generate.h: a stream of card transactions with the truth about fraud, made from a seed.
 *
 * What it models: cardholders with a home city, a level of spending, favourite shops and a daily rhythm; physical
 * terminals in cities, cash machines and web shops; trips abroad and big purchases that are honest; and five kinds of
 * fraud (ride_fraud_kind). Rows come in time order, but for the late ones, which are held back, and for duplicates, which
 * repeat a row exactly some rows later.
 *
 * The same options give the same rows on every machine: everything is integer arithmetic on a counter-based generator
 * (random.h); nothing is taken from libm, whose last bit differs from one machine to the next.
 *
 * Rate: a cardholder makes 2.9 transactions a day on average (0.1 … 14), so N events of C cardholders
 * span about N / (2.9 * C) days from `start_ms`.
 * Memory: 4 bytes per cardholder, 16 per terminal, and the transactions of one hour (about C / 8 of them, 48 bytes each);
 * nothing grows with the number of events, but the labels that are not yet reported (at most 22 days of fraud).
 * One thread per generator. */
#ifndef RIDE_GENERATE_GENERATE_H
#define RIDE_GENERATE_GENERATE_H
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RIDE_GENERATE_CUSTOMERS_MAX = 10000000,
    RIDE_GENERATE_TERMINALS_MAX = 10000000,
    RIDE_GENERATE_MILLION = 1000000, /* rates are parts per million: exact, and the same on every machine */
};
#define RIDE_GENERATE_EVENTS_MAX UINT64_C(100000000000)
#define RIDE_GENERATE_START_MS   INT64_C(1735689600000) /* 2025-01-01T00:00:00Z, a Wednesday */

/* A change of how people pay, planted to be found: from one hour on. */
typedef struct ride_generate_drift {
    uint32_t at_ppm;        /* it begins with the first hour after this share of the events; 0 = no drift */
    uint32_t amount_factor; /* in millionths: 1600000 = everything costs 1.6 times as much; 0 = as before */
    int32_t hours_later;    /* -12 … 12: people shop so many hours later in the day */
    uint32_t online_ppm;    /* share of honest payments in shops that go to a web shop instead */
} ride_generate_drift;

typedef struct ride_generate_options {
    uint64_t events; /* distinct transactions; duplicates come on top */
    uint64_t seed;
    uint32_t customers, terminals;
    uint32_t late_ppm;      /* share of transactions that arrive 2 s … 68 min after their time */
    uint32_t duplicate_ppm; /* share of transactions that are repeated 1 … 200 rows later */
    int64_t start_ms;       /* event time of the beginning, ms since the epoch; 0 … year 2200 */
    bool labels;            /* make labels too: ride_generate_labels */
    ride_generate_drift drift;
} ride_generate_options;

typedef enum ride_fraud_kind {
    RIDE_FRAUD_NONE = 0,
    RIDE_FRAUD_TERMINAL, /* compromised terminal: for days, many of its transactions are fraud */
    RIDE_FRAUD_STOLEN,   /* stolen card: a burst of bigger purchases of what is easily resold */
    RIDE_FRAUD_TESTING,  /* card testing: many tiny amounts at many web shops, then a big one */
    RIDE_FRAUD_TAKEOVER, /* account takeover: a few nights of transactions far from home */
    RIDE_FRAUD_QUIET,    /* a found card used once or twice, like its owner would */
    RIDE_FRAUD_KINDS
} ride_fraud_kind;

typedef enum ride_channel { RIDE_CHANNEL_POS = 0, RIDE_CHANNEL_ECOM, RIDE_CHANNEL_ATM, RIDE_CHANNELS } ride_channel;

typedef struct ride_generated {
    uint64_t tx_id; /* 1, 2, … in the order of arrival; a duplicate has the id of its original */
    int64_t ts_ms;  /* when it happened */
    uint64_t terminal;
    int64_t amount_minor;   /* in cents of the card's own currency, EUR, > 0 */
    uint32_t customer;      /* the card: written as c_00000123 */
    int32_t lat_e5, lon_e5; /* degrees * 100000; meaningless when !has_place */
    uint16_t mcc;           /* merchant category, ISO 18245 */
    uint8_t channel;        /* ride_channel */
    bool has_place;         /* web shops have none */
    bool is_fraud;
    uint8_t fraud_kind; /* ride_fraud_kind */
    bool is_late, is_duplicate;
    char country[3];  /* of the merchant, ISO 3166 alpha-2 */
    char currency[4]; /* the merchant's, ISO 4217 */
} ride_generated;

/* What became known about a transaction, days later: a chargeback, or the all-clear after a dispute. */
typedef struct ride_generated_label {
    uint64_t tx_id;
    int64_t reported_ms;
    bool is_fraud;
    uint8_t fraud_kind;
} ride_generated_label;

typedef struct ride_generate ride_generate;

/* 1,000,000 events, 10,000 cardholders, 2,000 terminals, seed 1, nothing late or twice, from RIDE_GENERATE_START_MS. */
void ride_generate_options_init(ride_generate_options *options);
/* Checks the options (RIDE_E_USAGE names the wrong one) and builds the world. The caller owns *out. */
ride_status ride_generate_create(const ride_generate_options *options, ride_generate **out, ride_error *err);
void ride_generate_destroy(ride_generate *generate); /* NULL is fine */

/* Fills up to rows_count_max rows in order. RIDE_OK with *rows_count > 0, RIDE_END when all were given,
 * RIDE_E_MEMORY. How many rows a call asks for does not change the stream. */
ride_status ride_generate_next(ride_generate *generate, ride_generated *rows, uint32_t rows_count_max,
                               uint32_t *rows_count);
/* When the drift began, ms since the epoch; INT64_MAX: not yet, or there is none. */
int64_t ride_generate_drift_ms(const ride_generate *generate);
/* Labels in the order of reported_ms, as far as rows were given; after RIDE_END of the rows, all that are left.
 * 0 when there is none now. Needs options.labels. */
uint32_t ride_generate_labels(ride_generate *generate, ride_generated_label *labels, uint32_t labels_count_max);

/* Text. Each row ends in one LF. `text` must have room for RIDE_GENERATE_ROW_BYTES_MAX; returns the bytes written,
 * without a final zero. The header lines are constants. Columns in the order of `fields` of ride_generate_source_yaml. */
enum { RIDE_GENERATE_ROW_BYTES_MAX = 320 };
extern const char ride_generate_csv_header[];        /* of rows, with LF */
extern const char ride_generate_labels_csv_header[]; /* of labels, with LF */
size_t ride_generate_row_csv(const ride_generated *row, char *text);
size_t ride_generate_row_ndjson(const ride_generated *row, char *text);
size_t ride_generate_label_csv(const ride_generated_label *label, char *text);
size_t ride_generate_label_ndjson(const ride_generated_label *label, char *text);

/* The rows' schema as the `sources` part of a feature spec (source `tx`): what the binary format is written by, and
 * what a spec for this stream starts from. */
extern const char ride_generate_source_yaml[];

const char *ride_fraud_kind_name(uint32_t kind); /* "none", "terminal", "stolen", "testing", "takeover", "quiet" */
const char *ride_channel_name(uint32_t channel); /* "pos", "ecom", "atm" */

#endif
