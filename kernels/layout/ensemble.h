/* kernels/layout/ensemble.h: several members as one model: who they are, how each one's answer is calibrated, how the answers are combined.
 * Plain data without pointers, as forest.h. kernels/row/combine.h says the formulas.
 *
 * A member is a network, a forest, or a network with a forest behind it. Its margins go through its link to its answers; one answer may be
 * calibrated. A bundle without these sections has one member, its one forest; a network needs them.
 *
 * Sections: ENSEMBLE = ride_ensemble_header; ENSEMBLE_MEMBERS = ride_ensemble_member[members_count], then the stacker where there is one;
 * ENSEMBLE_NUMBERS = double[], what calibrations and segments point into.
 *
 * What feeds an input of a member (FOREST_INPUTS, NETWORK_INPUTS): entry of the plan's vector; without a plan, column of the rows. Of the
 * stacker: below answers_count an answer, all members' one after the other; from there on such an entry or column. */
#ifndef RIDE_KERNELS_LAYOUT_ENSEMBLE_H
#define RIDE_KERNELS_LAYOUT_ENSEMBLE_H
#include "kernels/layout/network.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RIDE_ENSEMBLE_VERSION = 1,
    RIDE_MEMBERS_MAX = 256,
    RIDE_ANSWERS_MAX = 4096, /* of all members together */
};
#define RIDE_NO_PART UINT32_MAX /* the member has no network, or no forest */

typedef enum ride_combine {
    RIDE_COMBINE_ONE = 1,    /* the one member as it is */
    RIDE_COMBINE_MEAN,       /* sum of weight * answer, divided by the weights' sum; each output by itself */
    RIDE_COMBINE_LOGIT_MEAN, /* the same of log(p / (1 - p)), then back by 1 / (1 + exp(-x)) */
    RIDE_COMBINE_RANK_MEAN,  /* the same of the answers' ranks */
    RIDE_COMBINE_VOTE, /* weights of those that say yes, divided by the weights' sum; of several outputs each votes for its greatest */
    RIDE_COMBINE_STACK,   /* a last model reads the answers */
    RIDE_COMBINE_CASCADE, /* the first member's answer; within [low, high] the mean of the others */
    RIDE_COMBINE_SEGMENT, /* an input's value says which member */
    RIDE_COMBINES,
} ride_combine;

typedef enum ride_calibration_kind {
    RIDE_CALIBRATION_NONE = 0,
    RIDE_CALIBRATION_PLATT = 1, /* 1 / (1 + exp(a * x + b)) */
    RIDE_CALIBRATION_CURVE = 2, /* straight lines from point to point, level beyond the first and the last */
} ride_calibration_kind;

typedef struct ride_calibration {
    uint32_t kind;                /* ride_calibration_kind */
    uint32_t of_margin;           /* 1: x is the margin, else the answer */
    uint32_t first, points_count; /* CURVE: x of the points, not descending, then their y; in ENSEMBLE_NUMBERS */
    double a, b;                  /* PLATT */
} ride_calibration;

typedef struct ride_ensemble_member {
    uint32_t network, forest; /* index in the bundle, or RIDE_NO_PART */
    uint32_t name_offset;     /* into the strings */
    uint32_t reserved;
    double weight;                      /* above 0 */
    double threshold;                   /* VOTE of one output: an answer from it on is a yes */
    ride_calibration calibration, rank; /* rank: a CURVE with RANK_MEAN, else nothing */
} ride_ensemble_member;
RIDE_STATIC_ASSERT(sizeof(ride_ensemble_member) == 96, "crosses to devices");

typedef struct ride_ensemble_header {
    uint32_t ensemble_version; /* RIDE_ENSEMBLE_VERSION */
    uint32_t members_count;    /* without the stacker */
    uint32_t has_stacker;
    uint32_t combine;       /* ride_combine */
    uint32_t inputs_count;  /* columns of a row; with a plan its vector's entries */
    uint32_t outputs_count; /* of the combination */
    uint32_t answers_count; /* outputs of all members together */
    uint32_t numbers_count;
    uint32_t segment_input;  /* SEGMENT: the entry or column whose value chooses */
    uint32_t segments_first; /* values, ascending, then the member of each, in ENSEMBLE_NUMBERS */
    uint32_t segments_count;
    uint32_t segment_otherwise;   /* member for all other values, and for none */
    double low, high;             /* CASCADE */
    double weights_sum;           /* of the members in order; CASCADE: without the first */
    ride_calibration calibration; /* of the result, of one output */
    uint32_t reserved[6];         /* 0 */
} ride_ensemble_header;
RIDE_STATIC_ASSERT(sizeof(ride_ensemble_header) == 128, "two lines");

/* A checked ensemble: borrowed pointers into the bundle's image. Its members' parts: ride_member_view_of. */
typedef struct ride_ensemble_view {
    const ride_ensemble_header *header;
    const ride_ensemble_member *members;
    const double *numbers;
} ride_ensemble_view;

/* Is there anything but one plain forest? */
static inline int ride_bundle_has_ensemble(const ride_bundle *bundle) {
    return bundle->sections[RIDE_SECTION_ENSEMBLE] != NULL;
}
/* Is there anything that gives a score? */
static inline int ride_bundle_has_model(const ride_bundle *bundle) {
    return ride_bundle_has_forest(bundle) || ride_bundle_has_ensemble(bundle);
}

/* Checks the ensemble of an opened bundle, and all its forests and networks (ride_forest_open, ride_network_open), and gives the view: every
 * part is used once, every index and number is in its range. RIDE_E_CORRUPT with the first finding; RIDE_E_VERSION for another version;
 * RIDE_E_MODEL when the bundle holds none. Any thread. */
ride_status ride_ensemble_open(const ride_bundle *bundle, ride_ensemble_view *out, ride_error *err);

/* A member with its parts, of a bundle that was checked. */
typedef struct ride_member_view {
    ride_network network; /* header NULL = none */
    ride_forest forest;   /* header NULL = none */
    uint32_t inputs_count, outputs_count;
    uint32_t width_max;     /* numbers of the widest row on its way */
    const uint32_t *inputs; /* what feeds each input */
} ride_member_view;
void ride_member_view_of(const ride_bundle *bundle, const ride_ensemble_member *member, ride_member_view *out);

/* An ensemble with its members' parts. */
typedef struct ride_ensemble_parts {
    ride_ensemble_view view;
    const ride_member_view *members; /* members_count, then the stacker where there is one */
    uint32_t width_max;              /* the greatest of theirs */
} ride_ensemble_parts;
static inline uint32_t ride_ensemble_parts_count(const ride_ensemble_view *view) {
    return view->header->members_count + view->header->has_stacker;
}
/* room: of the caller, as many members as ride_ensemble_parts_count says; it must outlive *out. */
void ride_ensemble_parts_of(const ride_bundle *bundle, const ride_ensemble_view *view, ride_member_view *room,
                            ride_ensemble_parts *out);

#ifdef __cplusplus
}
#endif

#endif
