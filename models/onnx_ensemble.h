/* models/onnx_ensemble.h: what the two forms of tree ensembles in ONNX have in common. Internal to models/. */
#ifndef RIDE_MODELS_ONNX_ENSEMBLE_H
#define RIDE_MODELS_ONNX_ENSEMBLE_H
#include "models/onnx.h"
#include "models/rules.h"

/* Order of the enum as in TreeEnsemble's attributes, for the modes and the aggregates. */
typedef enum onnx_mode { ONNX_LEQ, ONNX_LT, ONNX_GTE, ONNX_GT, ONNX_EQ, ONNX_NEQ, ONNX_MEMBER, ONNX_MODES } onnx_mode;
typedef enum onnx_aggregate { ONNX_AVERAGE, ONNX_SUM, ONNX_MIN, ONNX_MAX, ONNX_AGGREGATES } onnx_aggregate;
typedef enum onnx_transform {
    ONNX_NONE,
    ONNX_SOFTMAX,
    ONNX_LOGISTIC,
    ONNX_SOFTMAX_ZERO,
    ONNX_PROBIT,
    ONNX_TRANSFORMS
} onnx_transform;

/* An ensemble on its way into the model. */
typedef struct onnx_ensemble {
    const onnx_file *file;
    const onnx_node *node;
    ride_rules *rules;
} onnx_ensemble;

ride_status ride_onnx_transform(const onnx_ensemble *e, onnx_transform *out);
/* Outputs, the aggregate and the link of targets that are all alike; base values may be NULL. */
ride_status ride_onnx_targets(const onnx_ensemble *e, int64_t targets, onnx_aggregate aggregate,
                              onnx_transform transform, const onnx_reals *base);
/* What is set once the trees are known. */
ride_status ride_onnx_average(const onnx_ensemble *e, onnx_aggregate aggregate);

/* The rule of a mode, and where NaN goes: `NaN != t` is true. */
static inline ride_rule ride_onnx_rule(onnx_mode mode) {
    static const ride_rule rules[ONNX_MODES] = {
        [ONNX_LEQ] = RIDE_RULE_LESS_EQUAL, [ONNX_LT] = RIDE_RULE_LESS,  [ONNX_GTE] = RIDE_RULE_GREATER_EQUAL,
        [ONNX_GT] = RIDE_RULE_GREATER,     [ONNX_EQ] = RIDE_RULE_EQUAL, [ONNX_NEQ] = RIDE_RULE_NOT_EQUAL,
        [ONNX_MEMBER] = RIDE_RULE_MEMBER,
    };
    return rules[mode];
}

/* onnx_ensemble5.c: TreeEnsemble of ai.onnx.ml 5. */
ride_status ride_onnx_read_ensemble5(onnx_ensemble *e);

#endif
