/* kernels/cpu/network.c: weights laid out for the loops, and blocks of rows through the steps. */
#include "kernels/cpu/network.h"

#include "base/assert.h"
#include "kernels/cpu/network_internal.h"
#include "kernels/cpu/scratch.h"
#include "kernels/row/network.h"

#include <stdlib.h>
#include <string.h>

struct ride_cpu_network {
    const ride_network_header *header;
    network_loop loop;
    uint8_t *numbers; /* of all steps, 64-byte aligned */
    uint32_t *columns;
    uint32_t width; /* columns of a buffer: the widest row, whole groups */
    uint32_t grain; /* rows are computed in so many: the widest register's */
    network_step steps[];
};

static size_t number_bytes(uint32_t number) { return number == RIDE_FOREST_F32 ? sizeof(float) : sizeof(double); }
static uint32_t whole_groups(uint32_t outputs) { return (outputs + NETWORK_GROUP - 1) / NETWORK_GROUP * NETWORK_GROUP; }

/* Bytes of a step's numbers as they are laid out. */
static void room_of(const ride_network_step *step, size_t *a, size_t *b) {
    const bool is_dense = step->kind == RIDE_STEP_DENSE;
    const size_t groups = whole_groups(step->outputs), size = number_bytes(step->number);
    *a = ride_whole_lines((is_dense ? groups * step->inputs : ride_step_a_count(step)) * size);
    *b = ride_whole_lines((is_dense ? groups : ride_step_b_count(step)) * size);
}

static void put(void *to, uint32_t number, size_t index, double value) {
    if (number == RIDE_FOREST_F32) ((float *)to)[index] = (float)value;
    else ((double *)to)[index] = value;
}

/* The step's numbers to `at`; returns the place behind. */
static uint8_t *lay_step(const ride_network *network, const ride_network_step *layout, network_step *out, uint8_t *at,
                         const uint32_t *columns) {
    const double *a = network->numbers + layout->a_first, *b = network->numbers + layout->b_first;
    size_t a_bytes, b_bytes;
    room_of(layout, &a_bytes, &b_bytes);
    *out = (network_step){.layout = *layout, .a = at, .b = at + a_bytes, .columns = columns + layout->columns_first};
    if (layout->kind == RIDE_STEP_DENSE) {
        for (uint32_t o = 0; o < layout->outputs; o++)
            for (uint32_t i = 0; i < layout->inputs; i++)
                put(at, layout->number,
                    ((size_t)(o / NETWORK_GROUP) * layout->inputs + i) * NETWORK_GROUP + o % NETWORK_GROUP,
                    a[(size_t)o * layout->inputs + i]);
    } else
        for (uint64_t i = 0; i < ride_step_a_count(layout); i++) put(at, layout->number, i, a[i]);
    for (uint64_t i = 0; i < ride_step_b_count(layout); i++) put(at + a_bytes, layout->number, i, b[i]);
    return at + a_bytes + b_bytes;
}

ride_status ride_cpu_network_create(const ride_network *network, ride_cpu_isa isa, ride_cpu_network **out,
                                    ride_error *err) {
    const ride_network_header *h = network->header;
    size_t bytes = 64;
    for (uint32_t i = 0; i < h->steps_count; i++) {
        size_t a, b;
        room_of(&network->steps[i], &a, &b);
        bytes += a + b;
    }
    *out = NULL;
    ride_cpu_network *n = calloc(1, sizeof *n + h->steps_count * sizeof n->steps[0]);
    if (n == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a network");
    n->numbers = aligned_alloc(64, bytes);
    n->columns = malloc((h->columns_count + 1) * sizeof *n->columns);
    if (n->numbers == NULL || n->columns == NULL) {
        ride_cpu_network_destroy(n);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a network of %zu bytes", bytes);
    }
    memset(n->numbers, 0, bytes);
    if (h->columns_count > 0) memcpy(n->columns, network->columns, h->columns_count * sizeof *n->columns);
    n->header = h;
    n->loop = isa >= RIDE_CPU_AVX512 ? network_step_avx512
              : isa >= RIDE_CPU_AVX2 ? network_step_avx2
              : isa >= RIDE_CPU_NEON ? network_step_neon
                                     : network_step_portable;
    n->width = whole_groups(h->width_max);
    n->grain = 8;
    uint8_t *at = n->numbers;
    for (uint32_t i = 0; i < h->steps_count; i++) {
        if (network->steps[i].number == RIDE_FOREST_F32) n->grain = 16;
        at = lay_step(network, &network->steps[i], &n->steps[i], at, n->columns);
    }
    *out = n;
    return RIDE_OK;
}

void ride_cpu_network_destroy(ride_cpu_network *n) {
    if (n == NULL) return;
    free(n->numbers);
    free(n->columns);
    free(n);
}

static size_t buffer_bytes(const ride_cpu_network *n) { return (size_t)n->width * NETWORK_ROWS * sizeof(double); }

size_t ride_cpu_network_scratch_bytes(const ride_cpu_network *n) { return 3 * buffer_bytes(n); }

/* Columns from one number to another; wide: the rows are computed in whole registers, so all of them must hold something. */
static void convert(void *to, uint32_t to_number, size_t to_stride, const void *from, uint32_t from_number,
                    size_t from_stride, size_t from_first, const uint32_t *which, uint32_t columns,
                    uint32_t rows_count) {
    for (uint32_t i = 0; i < columns; i++) {
        const size_t at = (which != NULL ? which[i] : i) * from_stride + from_first;
        const float *from_floats = (const float *)from + at;
        const double *from_doubles = (const double *)from + at;
        float *floats = (float *)to + i * to_stride;
        double *doubles = (double *)to + i * to_stride;
        if (to_number == from_number)
            memcpy(to_number == RIDE_FOREST_F32 ? (void *)floats : doubles,
                   from_number == RIDE_FOREST_F32 ? (const void *)from_floats : from_doubles,
                   rows_count * number_bytes(to_number));
        else if (to_number == RIDE_FOREST_F32)
            for (uint32_t r = 0; r < rows_count; r++) floats[r] = (float)from_doubles[r];
        else
            for (uint32_t r = 0; r < rows_count; r++) doubles[r] = (double)from_floats[r];
    }
}

static void rows_through(const ride_cpu_network *n, uint8_t *scratch, const ride_cpu_columns *in, const uint32_t *which,
                         uint32_t first, uint32_t rows_count, double *out, uint32_t out_stride) {
    uint8_t *x = scratch, *y = x + buffer_bytes(n), *z = y + buffer_bytes(n);
    uint32_t number = n->steps[0].layout.number;
    const uint32_t whole = (rows_count + n->grain - 1) / n->grain * n->grain;
    convert(x, number, NETWORK_ROWS, in->x, in->number, in->stride, first, which, n->header->inputs_count, rows_count);
    for (uint32_t i = 0; i < n->header->inputs_count && rows_count < whole; i++)
        memset(x + ((size_t)i * NETWORK_ROWS + rows_count) * number_bytes(number), 0,
               (whole - rows_count) * number_bytes(number));
    for (uint32_t s = 0; s < n->header->steps_count; s++) {
        const network_step *step = &n->steps[s];
        if (step->layout.number != number) {
            convert(z, step->layout.number, NETWORK_ROWS, x, number, NETWORK_ROWS, 0, NULL, step->layout.inputs, whole);
            uint8_t *was = x;
            x = z;
            z = was;
            number = step->layout.number;
        }
        n->loop(step, x, y, whole);
        uint8_t *was = x;
        x = y;
        y = was;
    }
    convert(out, RIDE_FOREST_F64, out_stride, x, number, NETWORK_ROWS, 0, NULL, n->header->outputs_count, rows_count);
}

void ride_cpu_network_columns(const ride_cpu_network *n, void *scratch, const ride_cpu_columns *in,
                              const uint32_t *which, uint32_t rows_count, double *out, uint32_t out_stride) {
    RIDE_ASSERT(rows_count <= RIDE_CPU_FOREST_ROWS && rows_count <= in->stride && rows_count <= out_stride);
    for (uint32_t first = 0; first < rows_count; first += NETWORK_ROWS)
        rows_through(n, scratch, in, which, first,
                     rows_count - first < NETWORK_ROWS ? rows_count - first : NETWORK_ROWS, out + first, out_stride);
}
