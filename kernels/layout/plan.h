/* kernels/layout/plan.h: the feature plan, what a feature spec compiles to. Plain data without pointers: it crosses
 * to devices and lives in the bundle file (bundle.h). host/features writes it, backends only read it.
 *
 * The words (window, edge, lane) in one paragraph. Per entity and key a backend keeps the key's past events sorted by
 * (event time, arrival). A *lane* is one number per event, mostly a running total, so that a window's sum is the
 * difference of two prefixes. An *edge* turns the time t of the current event into a threshold T; an entry has passed the edge
 * iff its time <= T. A window is what lies between two edges: entries that have not passed `edge_lo` but have passed `edge_hi`,
 * plus the current event where `current` says so. Every choice of closed, ties, delay, sliding, tumbling or hopping is only
 * another pair of edges.
 *
 * Times and durations are int64 microseconds. */
#ifndef RIDE_KERNELS_LAYOUT_PLAN_H
#define RIDE_KERNELS_LAYOUT_PLAN_H
#include "base/hd.h"

#include <stdint.h>

/* Columns of the input tile that the engine fills. After them: one KEY128 column per entity (see entities), then the
 * source's fields, then with a label source two hidden columns: the label and the arrival number that it is about. */
enum {
    RIDE_COLUMN_TIME = 0, /* TIMESTAMP: event time of the event (of the labelled event for a label row) */
    RIDE_COLUMN_CLOCK =
        1, /* TIMESTAMP: the clock up to and with this row: the greatest event time of its stream, or the least of several streams', then
            * rows may be ahead of it; for a label row: when it became known */
    RIDE_COLUMN_FLAGS = 2, /* U32: ride_row_flags */
    RIDE_COLUMNS_SYSTEM = 3,
};

typedef enum ride_row_flags {
    RIDE_ROW_ENTERS = 1, /* enters window state (accepted, not too late) */
    RIDE_ROW_LATE = 2,   /* event time below the watermark */
    RIDE_ROW_LABEL =
        4, /* not an event: a label that became known; it patches state and has no output row. It names its event by keys, time
            * and arrival number, since several events of one key may have one time. Only for events that entered */
    RIDE_ROW_PEERS =
        8, /* last row of its timestamp group in order: event_time (the group's peers windows are read after it) */
    RIDE_ROW_SKIP = 16, /* neither read nor written: a duplicate or another row that has no features */
} ride_row_flags;

typedef struct ride_plan_column {
    uint32_t type;        /* ride_type of the input tile's column */
    uint32_t nullable;    /* 1: it has a validity bitmap */
    int32_t scale;        /* DECIMAL: digits after the point; else 0 */
    uint32_t name_offset; /* into the strings section */
} ride_plan_column;

typedef struct ride_plan_header {
    uint32_t plan_version; /* RIDE_PLAN_VERSION */
    uint32_t columns_count, entities_count, lanes_count, edges_count, aggregates_count;
    uint32_t conditions_count;  /* where: programs whose result is a bool per row */
    uint32_t expressions_count; /* expr features */
    uint32_t
        features_count; /* = aggregates_count + expressions_count: columns of the feature tile, F64, null = canonical NaN */
    uint32_t vector_count;
    int32_t column_label; /* BOOL column with the label, or -1 */
    uint32_t
        column_sequence; /* LABEL_SOURCE: U64 column, in a label row the arrival number of its event (the event's row counted from sequence_first of its tile); else 0 */
    uint32_t label_kind; /* ride_label_kind */
    uint32_t zone_transitions_count;
    uint32_t rules_count;
    uint8_t spec_hash[32]; /* SHA-256 of the canonical spec */
} ride_plan_header;
enum { RIDE_PLAN_VERSION = 1 };

typedef enum ride_label_kind {
    RIDE_LABEL_NONE = 0,
    RIDE_LABEL_IN_EVENT = 1, /* the label travels with its event */
    RIDE_LABEL_SOURCE = 2,   /* labels come as label rows */
} ride_label_kind;

typedef struct ride_plan_entity {
    uint32_t key_column; /* KEY128 column; a null key enters no state */
    uint32_t name_offset;
    uint32_t lanes_first, lanes_count;
    uint32_t edges_first, edges_count;
    uint32_t aggregates_first, aggregates_count; /* aggregates are sorted by entity */
    int64_t
        lookback_us; /* longest window + delay (+ bound + lateness), or the longer horizon: what since_first and first_seen look back */
    int64_t
        retention_us; /* entries with time <= clock - retention are gone for every reader, whenever they are swept */
    int64_t
        need_us; /* longest window + delay, with the clocks going back within an aligned one: an event with time - need < clock - retention is answered approximately */
    uint64_t expected_keys;
    uint32_t max_events; /* per key; 0 = no bound */
    uint32_t reserved;
} ride_plan_entity;

typedef enum ride_lane_kind {
    RIDE_LANE_COUNT = 1, /* running count of events with `column` not null (if given) and `condition` true (if given) */
    RIDE_LANE_SUM = 2,   /* running sum of column, int64 minor units, of those events */
    RIDE_LANE_SUMSQ = 3, /* running sum of squares, 128 bit */
    RIDE_LANE_LABEL = 4, /* running count of events with label 1 and condition true */
    RIDE_LANE_VALUE = 5, /* the value itself, int64 (or the bits of a u64); presence as for COUNT */
    RIDE_LANE_HASH = 6,  /* 128-bit identity of the value (integer itself or keyed hash); presence as for COUNT */
    RIDE_LANE_PRESENT = 7, /* the event's time counts (since_last, since_first with where): presence only */
} ride_lane_kind;

typedef struct ride_plan_lane {
    uint32_t kind;     /* ride_lane_kind */
    int32_t column;    /* input column, or -1 */
    int32_t condition; /* index of the condition, or -1 */
    uint32_t is_u64;   /* 1: VALUE compares as unsigned */
} ride_plan_lane;

typedef enum ride_edge_kind {
    RIDE_EDGE_OFFSET = 1, /* T = t - offset */
    RIDE_EDGE_ALIGNED =
        2, /* T = floor(t - shift to period, in the zone) - offset; periods of whole weeks start on Monday */
} ride_edge_kind;

typedef struct ride_plan_edge {
    uint32_t kind; /* ride_edge_kind */
    uint32_t reserved;
    int64_t offset_us, shift_us, period_us;
} ride_plan_edge;

typedef enum ride_aggregate_op {
    RIDE_AGG_COUNT = 1,
    RIDE_AGG_SUM = 2,
    RIDE_AGG_MEAN = 3,
    RIDE_AGG_VAR = 4, /* sample: n - 1 */
    RIDE_AGG_STD = 5,
    RIDE_AGG_VAR_POP = 6,
    RIDE_AGG_STD_POP = 7,
    RIDE_AGG_MIN = 8,
    RIDE_AGG_MAX = 9,
    RIDE_AGG_RISK = 10, /* labels / events */
    RIDE_AGG_LAST = 11,
    RIDE_AGG_SINCE_LAST = 12,  /* seconds */
    RIDE_AGG_SINCE_FIRST = 13, /* seconds since the first event after a gap longer than lookback */
    RIDE_AGG_FIRST_SEEN = 14,  /* 1: the current value of column was not in the window */
    RIDE_AGG_DISTINCT = 15,
} ride_aggregate_op;

typedef struct ride_plan_aggregate {
    uint16_t op; /* ride_aggregate_op */
    uint16_t entity;
    uint8_t current;           /* 1: the current event is in the window if it has the column and meets the condition */
    uint8_t peers;             /* 1: read after the whole group of the timestamp has entered */
    uint8_t has_empty;         /* 1: `empty` replaces null */
    uint8_t is_decimal;        /* 1: the result is divided by 10^scale (the square for var) */
    int32_t edge_lo, edge_hi;  /* indexes within the entity's edges */
    int32_t lane_count;        /* within the entity's lanes: how many events; -1 = all entries */
    int32_t lane_sum;          /* SUM or LABEL, or -1 */
    int32_t lane_sumsq;        /* or -1 */
    int32_t lane_value;        /* VALUE, HASH or PRESENT, or -1 */
    int32_t column, condition; /* as in the lanes, or -1 */
    int32_t scale;
    uint32_t min_count; /* null below that many events; 0 = no such rule */
    uint32_t feature;   /* column of the feature tile */
    uint32_t reserved;
    double empty;
} ride_plan_aggregate;

/* A feature computed by a program from input columns and earlier features. */
typedef struct ride_plan_expression {
    uint32_t program; /* index into the programs section */
    uint32_t feature;
} ride_plan_expression;

typedef struct ride_plan_condition {
    uint32_t program;
} ride_plan_condition;

/* The vector in order. An input column is converted to double: decimals to the major unit, bools to 0 and 1. */
typedef struct ride_plan_vector {
    uint32_t is_feature; /* 1: feature column `index`; 0: input column `index` */
    uint32_t index;
    uint32_t name_offset;
    uint32_t reserved;
} ride_plan_vector;

/* From utc_us on local time is UTC + offset_us; sorted; the first entry's utc_us is INT64_MIN. No entries = UTC. */
typedef struct ride_plan_zone {
    int64_t utc_us, offset_us;
} ride_plan_zone;

/* Decision rules in order; the first whose program is true decides. */
typedef struct ride_plan_rule {
    uint32_t program;
    uint32_t decision;    /* ride_decision */
    uint32_t name_offset; /* rule id */
    uint32_t reserved;
} ride_plan_rule;

typedef enum ride_decision {
    RIDE_DECISION_APPROVE = 0,
    RIDE_DECISION_REVIEW = 1,
    RIDE_DECISION_DECLINE = 2,
} ride_decision;

/* Columns of the output tile, after the features_count feature columns (all F64). */
enum {
    RIDE_OUT_MARGIN = 0,      /* F64; holds a float model's margin exactly */
    RIDE_OUT_PROBABILITY = 1, /* F64 */
    RIDE_OUT_RULE = 2,        /* U32: index of the rule that decided, rules_count = none */
    RIDE_OUT_FLAGS = 3,       /* U32: ride_out_flags */
    RIDE_OUT_COUNT = 4,
};
typedef enum ride_out_flags {
    RIDE_OUT_APPROX = 1, /* some feature was answered from what is left */
} ride_out_flags;

#endif
