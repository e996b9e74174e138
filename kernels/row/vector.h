/* kernels/row/vector.h: one value of the vector (plan.h) as a double. Null is NaN; a decimal is its major unit by one division; a
 * bool is 0 or 1; integers beyond 2^53 round to nearest. */
#ifndef RIDE_KERNELS_ROW_VECTOR_H
#define RIDE_KERNELS_ROW_VECTOR_H
#include "base/hd.h"
#include "base/tile.h"

/* 10^scale for 0 <= scale <= 18, exact. */
RIDE_HD static inline double ride_vector_divisor(int32_t scale) {
    double divisor = 1.0;
    for (int32_t i = 0; i < scale; i++) divisor *= 10.0; /* exact up to 10^22 */
    return divisor;
}

/* 1 when a column of this type may be in a vector. */
RIDE_HD static inline int ride_vector_type_ok(uint32_t type) {
    return type == RIDE_TYPE_BOOL || type == RIDE_TYPE_I64 || type == RIDE_TYPE_U64 || type == RIDE_TYPE_F64 ||
           type == RIDE_TYPE_DECIMAL || type == RIDE_TYPE_TIMESTAMP || type == RIDE_TYPE_U32 || type == RIDE_TYPE_F32;
}

/* Row `row` of a column that starts at `values`; divisor is 10^scale (1 for all types but DECIMAL). Validity is the
 * caller's. A type that may not be in a vector gives NaN. */
RIDE_HD static inline double ride_vector_value(const void *values, uint32_t type, uint32_t row, double divisor) {
    switch (type) {
    case RIDE_TYPE_BOOL: return ((const uint8_t *)values)[row] != 0 ? 1.0 : 0.0;
    case RIDE_TYPE_I64:
    case RIDE_TYPE_TIMESTAMP: return (double)((const int64_t *)values)[row];
    case RIDE_TYPE_U64: return (double)((const uint64_t *)values)[row];
    case RIDE_TYPE_F64: return ((const double *)values)[row];
    case RIDE_TYPE_DECIMAL: return (double)((const int64_t *)values)[row] / divisor;
    case RIDE_TYPE_U32: return (double)((const uint32_t *)values)[row];
    case RIDE_TYPE_F32: return (double)((const float *)values)[row];
    default: return (double)__builtin_nanf("");
    }
}

#endif
