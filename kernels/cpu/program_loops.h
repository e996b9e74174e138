/* kernels/cpu/program_loops.h: how one instruction becomes a loop over a tile: operands, bits, and one macro per kind
 * of operation. program_step.h lists the operations. Both are compiled once per instruction set (program.c for the
 * baseline, program_avx2.c after a target pragma). The arithmetic is that of kernels/row, inlined into loops that the
 * compiler vectorises; nothing is written twice.
 *
 * Cost to know: an operation on doubles reads and writes 2 KiB per tile and is bound by the first-level cache; flags
 * (comparisons, overflow) are bytes for the length of one loop and bits everywhere else, so logic costs 4 words a tile. */
#ifndef RIDE_KERNELS_CPU_PROGRAM_LOOPS_H
#define RIDE_KERNELS_CPU_PROGRAM_LOOPS_H
#include "kernels/cpu/program_internal.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

typedef struct operand {
    const void *values;
    const uint64_t *bits, *valid;
    bool is_constant;
} operand;

static const uint64_t words_ones[RIDE_PROGRAM_WORDS] = {~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0)};
static const uint64_t words_zero[RIDE_PROGRAM_WORDS] = {0};

static inline operand operand_get(const ride_cpu_program_run *run, uint32_t index) {
    if ((index & RIDE_OPERAND_CONSTANT) != 0) {
        const ride_constant *constant = &run->constants[index & ~(uint32_t)RIDE_OPERAND_CONSTANT];
        return (operand){constant->bits, constant->bits[0] ? words_ones : words_zero,
                         constant->bits[1] ? words_ones : words_zero, true};
    }
    const ride_cpu_register *r = &run->scratch->registers[index];
    return (operand){r->values, r->bits, r->valid, false};
}

/* 0/1 bytes of n rows to a bitmap; n is a multiple of 16. */
static inline void pack_bits(const uint8_t *flags, uint32_t n, uint64_t *bits) {
    uint8_t out[RIDE_TILE_ROWS / 8] = {0};
    for (uint32_t i = 0; i < n; i += 16) {
#if defined(__SSE2__)
        __m128i v = _mm_slli_epi16(_mm_load_si128((const __m128i *)(flags + i)), 7);
        uint16_t m = (uint16_t)_mm_movemask_epi8(v);
        memcpy(out + i / 8, &m, sizeof m);
#else
        for (uint32_t k = 0; k < 16; k++) out[(i + k) / 8] |= (uint8_t)(flags[i + k] << (k % 8));
#endif
    }
    memcpy(bits, out, sizeof out);
}
/* A bitmap to 0/1 bytes: every bit of a byte is multiplied to its own byte and masked. */
static inline void unpack_bits(const uint64_t *bits, uint32_t n, uint8_t *flags) {
    for (uint32_t i = 0; i < n; i += 8) {
        uint64_t byte = (bits[i / 64] >> (i % 64)) & 0xff;
        uint64_t spread = (byte * UINT64_C(0x0101010101010101)) & UINT64_C(0x8040201008040201);
        uint64_t ones = ((spread + UINT64_C(0x7f7f7f7f7f7f7f7f)) | spread) >> 7 & UINT64_C(0x0101010101010101);
        memcpy(flags + i, &ones, sizeof ones);
    }
}

/* Loops over the rows with x from a and y from b; a constant operand stays in a machine register. The result may go to the slot
 * that is read, row by row, hence ivdep. */
#define LOOP1(TYPE, BODY)                                                                                              \
    do {                                                                                                               \
        const TYPE *pa = a.values;                                                                                     \
        _Pragma("GCC ivdep") for (uint32_t i = 0; i < n; i++) {                                                        \
            const TYPE x = pa[i];                                                                                      \
            BODY;                                                                                                      \
        }                                                                                                              \
    } while (0)
#define LOOP2T(TA, TB, BODY)                                                                                           \
    do {                                                                                                               \
        const TA *pa = a.values;                                                                                       \
        const TB *pb = b.values;                                                                                       \
        if (b.is_constant) {                                                                                           \
            const TB y = pb[0];                                                                                        \
            _Pragma("GCC ivdep") for (uint32_t i = 0; i < n; i++) {                                                    \
                const TA x = pa[i];                                                                                    \
                BODY;                                                                                                  \
            }                                                                                                          \
        } else if (a.is_constant) {                                                                                    \
            const TA x = pa[0];                                                                                        \
            _Pragma("GCC ivdep") for (uint32_t i = 0; i < n; i++) {                                                    \
                const TB y = pb[i];                                                                                    \
                BODY;                                                                                                  \
            }                                                                                                          \
        } else _Pragma("GCC ivdep") for (uint32_t i = 0; i < n; i++) {                                                 \
                const TA x = pa[i];                                                                                    \
                const TB y = pb[i];                                                                                    \
                BODY;                                                                                                  \
            }                                                                                                          \
    } while (0)

#define WORDS for (uint32_t w = 0; w < RIDE_PROGRAM_WORDS; w++)
/* Kinds of operation, by how validity and flags travel. f, s, u: the slot as double, int64_t, uint64_t. */
#define CASE_F1(OP, EXPR)                                                                                              \
    case RIDE_OP_##OP:                                                                                                 \
        LOOP1(double, f[i] = ride_f64_settle(EXPR));                                                                   \
        break
#define CASE_F2(OP, EXPR)                                                                                              \
    case RIDE_OP_##OP:                                                                                                 \
        LOOP2(double, f[i] = ride_f64_settle(EXPR));                                                                   \
        break
#define LOOP2(TYPE, BODY) LOOP2T(TYPE, TYPE, BODY)
#define CASE_WHOLE1(OP, TYPE, EXPR)                                                                                    \
    case RIDE_OP_##OP:                                                                                                 \
        LOOP1(TYPE, ((TYPE *)slot)[i] = EXPR);                                                                         \
        WORDS out->valid[w] = a.valid[w];                                                                              \
        break
#define CASE_WHOLE1_GOOD(OP, TYPE, EXPR)                                                                               \
    case RIDE_OP_##OP:                                                                                                 \
        LOOP1(TYPE, ((TYPE *)slot)[i] = EXPR);                                                                         \
        pack_bits(flags, n, packed);                                                                                   \
        WORDS out->valid[w] = a.valid[w] & packed[w];                                                                  \
        break
#define CASE_WHOLE2(OP, TYPE, EXPR)                                                                                    \
    case RIDE_OP_##OP:                                                                                                 \
        LOOP2(TYPE, ((TYPE *)slot)[i] = EXPR);                                                                         \
        WORDS out->valid[w] = a.valid[w] & b.valid[w];                                                                 \
        break
#define CASE_WHOLE2_GOOD(OP, TYPE, EXPR)                                                                               \
    case RIDE_OP_##OP:                                                                                                 \
        LOOP2(TYPE, ((TYPE *)slot)[i] = EXPR);                                                                         \
        pack_bits(flags, n, packed);                                                                                   \
        WORDS out->valid[w] = a.valid[w] & b.valid[w] & packed[w];                                                     \
        break
#define CASE_COMPARE(OP, TA, TB, EXPR)                                                                                 \
    case RIDE_OP_##OP:                                                                                                 \
        LOOP2T(TA, TB, flags[i] = (uint8_t)(EXPR));                                                                    \
        pack_bits(flags, n, packed);                                                                                   \
        WORDS {                                                                                                        \
            out->valid[w] = a.valid[w] & b.valid[w];                                                                   \
            out->bits[w] = packed[w] & out->valid[w];                                                                  \
        }                                                                                                              \
        break
#define CASE_COMPARE_F(OP, EXPR)                                                                                       \
    case RIDE_OP_##OP:                                                                                                 \
        LOOP2(double, flags[i] = (uint8_t)(EXPR));                                                                     \
        LOOP2(double, flags_valid[i] = (uint8_t)((x == x) & (y == y)));                                                \
        pack_bits(flags, n, packed);                                                                                   \
        pack_bits(flags_valid, n, out->valid);                                                                         \
        WORDS out->bits[w] = packed[w] & out->valid[w];                                                                \
        break
#define CASE_SELECT(OP, TYPE)                                                                                          \
    case RIDE_OP_##OP:                                                                                                 \
        unpack_bits(c->bits, n, flags);                                                                                \
        LOOP2(TYPE, ((TYPE *)slot)[i] = flags[i] ? x : y);                                                             \
        WORDS out->valid[w] = ((c->bits[w] & a.valid[w]) | (~c->bits[w] & b.valid[w])) & c->valid[w];                  \
        break
#define CASE_COALESCE(OP, TYPE)                                                                                        \
    case RIDE_OP_##OP:                                                                                                 \
        unpack_bits(a.valid, n, flags);                                                                                \
        LOOP2(TYPE, ((TYPE *)slot)[i] = flags[i] ? x : y);                                                             \
        WORDS out->valid[w] = a.valid[w] | b.valid[w];                                                                 \
        break

/* Doubles where a whole number was null: null. */
static inline void null_where_invalid(const uint64_t *valid, uint32_t n, uint8_t *flags, double *f) {
    if ((valid[0] & valid[1] & valid[2] & valid[3]) == ~UINT64_C(0)) return;
    unpack_bits(valid, n, flags);
    for (uint32_t i = 0; i < n; i++) f[i] = flags[i] ? f[i] : ride_f64_null();
}

/* 0, 1 or null per row. */
static inline void doubles_of_bits(const uint64_t *bits, const uint64_t *valid, uint32_t n, uint8_t *flags, double *f) {
    static const double pairs[4][2] = {{0.0, 0.0}, {1.0, 0.0}, {0.0, 1.0}, {1.0, 1.0}};
    for (uint32_t i = 0; i < n; i += 2) memcpy(f + i, pairs[(bits[i / 64] >> (i % 64)) & 3], 2 * sizeof(double));
    null_where_invalid(valid, n, flags, f);
}

/* One offset when one is in force for all rows of the tile. Else local times go to `local` and become a, and the offset is 0. */
static inline void zone_localize(const ride_cpu_program_run *run, operand *a, void *local, int64_t *offset) {
    const ride_cpu_program_scratch *scratch = run->scratch;
    const int64_t *utc = a->values;
    *offset = 0;
    if (scratch->zone_count == 0) return;
    int64_t first = utc[0], last = utc[0];
    for (uint32_t i = 1; i < run->inputs->rows_count; i++) {
        first = utc[i] < first ? utc[i] : first;
        last = utc[i] > last ? utc[i] : last;
    }
    uint32_t k = 0;
    if (scratch->zone_count > 1)
        for (uint32_t count = scratch->zone_count; count > 1;) { /* last transition at or before `first` */
            uint32_t half = count / 2;
            bool later = scratch->zone[k + half].utc_us <= first;
            k = later ? k + half : k;
            count = later ? count - half : half;
        }
    *offset = scratch->zone[k].offset_us;
    if (k + 1 == scratch->zone_count || last < scratch->zone[k + 1].utc_us) return;
    int64_t *out = local;
    for (uint32_t i = 0; i < run->n; i++)
        out[i] = ride_local_us(utc[i], ride_zone_offset_row(scratch->zone, scratch->zone_count, utc[i]));
    a->values = local;
    *offset = 0;
}

/* Calendar by vectors. Integer division has no SIMD instruction, but a time in units of 256 microseconds is below 2^52 for 36,500
 * years, where doubles divide exactly: multiply by the inverse, round, and correct by the remainder. CALENDAR_BIAS makes every
 * time positive; it is a whole number of weeks (and 256 microseconds divide a minute), so it changes no answer. */
#define CALENDAR_BIAS (INT64_C(604800000000) * 953150) /* about 2^59 */
static inline bool calendar_fits(const int64_t *utc, uint32_t n, int64_t offset) {
#if defined(__AVX2__)
    uint64_t all = 0;
    for (uint32_t i = 0; i < n; i++) all |= (uint64_t)utc[i] + (uint64_t)offset + (uint64_t)CALENDAR_BIAS;
    return all >> 60 == 0;
#else /* two lanes are slower than multiplying by the inverse one by one */
    (void)utc, (void)n, (void)offset;
    return false;
#endif
}
static inline double calendar_units(int64_t utc, int64_t offset) {
    const uint64_t units = ((uint64_t)utc + (uint64_t)offset + (uint64_t)CALENDAR_BIAS) >> 8;
    return ride_f64_of_bits(units | UINT64_C(0x4330000000000000)) - 0x1p52;
}
static inline double whole_div(double v, double by, double inverse) {
    const double q = (v * inverse + 0x1p52) - 0x1p52, less = q - 1.0;
    return v - q * by < 0.0 ? less : q;
}
static inline double whole_mod(double v, double by, double inverse) { return v - whole_div(v, by, inverse) * by; }
static inline double hour_units(double v) {
    return whole_mod(whole_div(v, 14062500.0, 1.0 / 14062500.0), 24.0, 1.0 / 24.0);
}
static inline double minute_units(double v) {
    return whole_mod(whole_div(v, 234375.0, 1.0 / 234375.0), 60.0, 1.0 / 60.0);
}
static inline double weekday_units(double v) {
    return whole_mod(whole_div(v, 337500000.0, 1.0 / 337500000.0) + 3.0, 7.0, 1.0 / 7.0);
}
static inline int64_t small_whole(double v) { /* 0 <= v < 2^51 */
    return (int64_t)(ride_bits_of_f64(v + 0x1p52) ^ UINT64_C(0x4330000000000000));
}
#define CASE_CALENDAR(OP, EXPR, UNITS)                                                                                 \
    case RIDE_OP_##OP:                                                                                                 \
        WORDS out->valid[w] = a.valid[w];                                                                              \
        zone_localize(run, &a, slot, &offset);                                                                         \
        if (calendar_fits(a.values, n, offset)) LOOP1(int64_t, s[i] = small_whole(UNITS(calendar_units(x, offset))));  \
        else LOOP1(int64_t, s[i] = EXPR(ride_local_us(x, offset)));                                                    \
        break

static inline void validity_words(const ride_tile_layout *layout, const void *tile, uint32_t column, uint64_t *words) {
    const uint8_t *bits = ride_tile_validity_const(layout, tile, column);
    if (bits != NULL) memcpy(words, bits, RIDE_TILE_VALIDITY_BYTES);
    else memcpy(words, words_ones, RIDE_TILE_VALIDITY_BYTES);
}

/* LOAD_*: a pointer into the tile where the column can be used as it is. */
static inline void load(const ride_cpu_program_run *run, const ride_instruction *code, ride_cpu_register *out,
                        void *slot) {
    const ride_cpu_program_inputs *in = run->inputs;
    const bool from_out = code->op == RIDE_OP_LOAD_OUT;
    const ride_tile_layout *layout = from_out ? in->out_layout : in->in_layout;
    const uint8_t *tile = from_out ? in->out_tile : in->in_tile;
    const uint8_t *values = tile + layout->columns[code->index].values_offset;
    uint8_t *flags = run->scratch->flags;
    out->values = values;
    validity_words(layout, tile, code->index, out->valid);
    if (code->op == RIDE_OP_LOAD_BOOL) {
        for (uint32_t i = 0; i < run->n; i++) flags[i] = values[i] != 0;
        pack_bits(flags, run->n, out->bits);
        WORDS out->bits[w] &= out->valid[w];
    } else if ((code->op == RIDE_OP_LOAD_F64 || from_out) && layout->columns[code->index].validity_offset != 0) {
        memcpy(slot, values, run->n * sizeof(double));
        null_where_invalid(out->valid, run->n, flags, slot);
        out->values = slot;
    }
}

/* EQ_KEY, EQ_KEYS. */
static inline void keys_equal(const ride_cpu_program_run *run, const ride_instruction *code, ride_cpu_register *out) {
    const ride_cpu_program_inputs *in = run->inputs;
    const bool two = code->op == RIDE_OP_EQ_KEYS;
    const uint32_t column = two ? code->index % 65536 : code->index, other = two ? code->index / 65536 : 0;
    const uint64_t *x = (const uint64_t *)((const uint8_t *)in->in_tile + in->in_layout->columns[column].values_offset);
    uint8_t *flags = run->scratch->flags;
    uint64_t packed[RIDE_PROGRAM_WORDS], valid[RIDE_PROGRAM_WORDS];
    validity_words(in->in_layout, in->in_tile, column, out->valid);
    if (two) {
        const uint8_t *tile = in->in_tile;
        const uint64_t *y = (const uint64_t *)(tile + in->in_layout->columns[other].values_offset);
        for (uint32_t i = 0; i < run->n; i++) flags[i] = ((x[2 * i] ^ y[2 * i]) | (x[2 * i + 1] ^ y[2 * i + 1])) == 0;
        validity_words(in->in_layout, in->in_tile, other, valid);
        WORDS out->valid[w] &= valid[w];
    } else {
        const uint64_t *key = run->constants[code->a & ~(uint32_t)RIDE_OPERAND_CONSTANT].bits;
        const uint64_t lo = key[0], hi = key[1];
        for (uint32_t i = 0; i < run->n; i++) flags[i] = ((x[2 * i] ^ lo) | (x[2 * i + 1] ^ hi)) == 0;
    }
    pack_bits(flags, run->n, packed);
    WORDS out->bits[w] = packed[w] & out->valid[w];
}

#endif
