/* kernels/cpu/explain_member.c: shares of a member's margins: its front, then tables of its forest or gradients of its other steps. */
#include "kernels/cpu/explain_internal.h"
#include "kernels/cpu/scratch.h"
#include "kernels/row/ensemble.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t row_width(const explain_member *m) { return m->view.width_max + m->view.outputs_count; }

/* ---- the front ---- */

static bool keeps_apart(const ride_network_step *step) {
    return step->kind <= RIDE_STEP_SCALE_SHIFT || step->kind == RIDE_STEP_SELECT;
}

/* Steps first … end - 1 over a row, which is in one of the two rooms. Returns the room that holds the result. */
static double *steps_run(const ride_network *network, uint32_t first, uint32_t end, double *row, double *other) {
    for (uint32_t s = first; s < end; s++) {
        ride_step_row(network, &network->steps[s], row, other);
        double *was = row;
        row = other;
        other = was;
    }
    return row;
}

/* What the file says that an input usually is: what a scaler subtracts from it (its mean), else what an imputer puts in its place, else 0. */
typedef struct usual {
    double *value;  /* of each input */
    uint8_t *level; /* 1: an imputer's, 2: a scaler's */
} usual;

static void front_walk(explain_member *m, const usual *inputs, uint8_t *is_plain) {
    const ride_network *network = &m->view.network;
    for (uint32_t i = 0; i < m->width; i++) {
        m->source[i] = i;
        is_plain[i] = 1; /* still the input itself */
    }
    for (uint32_t s = 0; s < m->front_count; s++) {
        const ride_network_step *step = &network->steps[s];
        const double *a = network->numbers + step->a_first;
        if (step->kind == RIDE_STEP_SELECT) {
            uint32_t *from = m->source + m->view.width_max; /* behind the row: room for the one before */
            memcpy(from, m->source, m->width * sizeof *from);
            uint8_t *was = is_plain + m->view.width_max;
            memcpy(was, is_plain, m->width);
            for (uint32_t o = 0; o < step->outputs; o++) {
                m->source[o] = from[network->columns[step->columns_first + o]];
                is_plain[o] = was[network->columns[step->columns_first + o]];
            }
            m->width = step->outputs;
            continue;
        }
        const bool is_imputer = step->kind == RIDE_STEP_IMPUTE;
        const bool says = is_imputer || step->kind == RIDE_STEP_SHIFT_SCALE || step->kind == RIDE_STEP_SHIFT_DIVIDE;
        for (uint32_t i = 0; i < m->width; i++) {
            const uint32_t input = m->source[i];
            const uint8_t level = is_imputer ? 1 : 2;
            if (says && is_plain[i] && inputs->level[input] < level && isfinite(a[i])) {
                inputs->value[input] = a[i];
                inputs->level[input] = level;
            }
            if (!is_imputer) is_plain[i] = 0;
        }
    }
}

/* The means of the rows behind the front; where no row has a number, what is there. */
static void background_base(const explain_member *m, const explain_wish *wish, double *rooms, double *sums,
                            double *counts) {
    const uint32_t inputs = m->view.inputs_count;
    for (uint32_t i = 0; i < m->width; i++) sums[i] = counts[i] = 0.0;
    for (uint32_t r = 0; r < wish->background_rows; r++) {
        memcpy(rooms, wish->background + (size_t)r * inputs, inputs * sizeof *rooms);
        const double *z = steps_run(&m->view.network, 0, m->front_count, rooms, rooms + row_width(m));
        for (uint32_t i = 0; i < m->width; i++) {
            if (!isfinite(z[i])) continue;
            sums[i] += z[i];
            counts[i] += 1.0;
        }
    }
    for (uint32_t i = 0; i < m->width; i++)
        if (counts[i] > 0.0) m->base[i] = sums[i] / counts[i];
}

static ride_status front_make(explain_member *m, const explain_wish *wish, ride_error *err) {
    const ride_network *network = &m->view.network;
    const size_t width = row_width(m);
    while (m->front_count < network->header->steps_count && keeps_apart(&network->steps[m->front_count]))
        m->front_count++;
    m->width = m->view.inputs_count;
    m->source = calloc(2 * width + 1, sizeof *m->source);
    m->base = calloc(width + 1, sizeof *m->base);
    double *rooms = calloc(4 * width + 1, sizeof *rooms);
    uint8_t *flags = calloc(3 * width + 1, 1);
    ride_status st = RIDE_OK;
    if (m->source == NULL || m->base == NULL || rooms == NULL || flags == NULL)
        st = ride_fail(err, RIDE_E_MEMORY, "no memory for %u inputs", m->view.inputs_count);
    else {
        const usual inputs = {rooms, flags + 2 * width};
        front_walk(m, &inputs, flags);
        if (wish->given != NULL) { /* no front, but what it says */
            m->front_count = 0;
            m->width = m->view.inputs_count;
            for (uint32_t i = 0; i < m->width; i++) {
                m->source[i] = i;
                if (isfinite(wish->given[i])) rooms[i] = wish->given[i];
            }
        }
        const double *z = steps_run(network, 0, m->front_count, rooms, rooms + width);
        memcpy(m->base, z, m->width * sizeof *z);
        if (wish->background != NULL) background_base(m, wish, rooms, rooms + 2 * width, rooms + 3 * width);
    }
    free(rooms);
    free(flags);
    return st;
}

/* ---- making ---- */

static ride_status forest_make(explain_member *m, ride_cpu_isa isa, const explain_wish *wish, ride_error *err) {
    const bool is_behind = m->view.network.header != NULL;
    ride_shap_options by = {.bytes_max = wish->bytes_max, .whole_bytes_max = wish->whole_bytes_max};
    double *behind = NULL;
    ride_cpu_matrix background = {wish->background, RIDE_FOREST_F64, m->view.inputs_count, 1};
    if (is_behind && m->front_count < m->view.network.header->steps_count)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "trees behind steps that mix the inputs have no shares of inputs");
    if (wish->background != NULL && is_behind) {
        const size_t width = row_width(m), inputs = m->view.inputs_count;
        behind = malloc(((size_t)wish->background_rows * m->width + 2 * width + 1) * sizeof *behind);
        if (behind == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for background rows");
        double *rooms = behind + (size_t)wish->background_rows * m->width;
        for (uint32_t r = 0; r < wish->background_rows; r++) {
            memcpy(rooms, wish->background + r * inputs, inputs * sizeof *rooms);
            const double *z = steps_run(&m->view.network, 0, m->front_count, rooms, rooms + width);
            memcpy(behind + (size_t)r * m->width, z, m->width * sizeof *z);
        }
        background.x = behind;
        background.row_stride = m->width;
    }
    if (wish->background != NULL) {
        by.background = &background;
        by.background_rows = wish->background_rows;
    }
    const ride_status st = ride_shap_create(&m->view.forest, &by, isa, &m->shap, err);
    for (uint32_t o = 0; st == RIDE_OK && o < m->view.outputs_count; o++)
        m->expected[o] = ride_shap_expected(m->shap, o);
    free(behind);
    return st;
}

/* The margins of the row behind the front, as the engine has them. rooms: two rows; z is in one of them or elsewhere. */
static void margins_of(const explain_member *m, const double *z, double *rooms, double *out) {
    const ride_network_header *h = m->view.network.header;
    memmove(rooms, z, m->width * sizeof *z);
    const double *y = steps_run(&m->view.network, m->front_count, h->steps_count, rooms, rooms + row_width(m));
    for (uint32_t o = 0; o < m->view.outputs_count; o++) out[o] = ride_one_nan(ride_forest_input(y[o], h->number));
}

static ride_status network_make(explain_member *m, ride_error *err) {
    RIDE_TRY(explain_gradient_create(&m->view.network, m->front_count, m->width, m->base, &m->gradient, err));
    double *rooms = calloc(2 * (size_t)row_width(m), sizeof *rooms);
    if (rooms == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u inputs", m->view.inputs_count);
    margins_of(m, m->base, rooms, m->expected);
    free(rooms);
    for (uint32_t o = 0; o < m->view.outputs_count; o++)
        if (!isfinite(m->expected[o])) {
            const ride_status st = ride_fail(err, RIDE_E_UNSUPPORTED, "the network gives no number at its baseline");
            ride_error_advice(err, "explain it with background rows");
            return st;
        }
    return RIDE_OK;
}

ride_status explain_member_create(const ride_member_view *view, ride_cpu_isa isa, const explain_wish *wish,
                                  explain_member *m, ride_error *err) {
    m->view = *view;
    m->rows_most = wish->rows_most;
    m->expected = calloc((size_t)view->outputs_count + 1, sizeof *m->expected);
    if (m->expected == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u outputs", view->outputs_count);
    if (view->network.header != NULL) RIDE_TRY(front_make(m, wish, err));
    return view->forest.header != NULL ? forest_make(m, isa, wish, err) : network_make(m, err);
}

void explain_member_free(explain_member *m) {
    free(m->source);
    free(m->base);
    free(m->expected);
    ride_shap_destroy(m->shap);
    explain_gradient_destroy(m->gradient);
}

void explain_member_tell(const explain_member *m, ride_explainer_figures *add) {
    if (m->shap != NULL) {
        ride_shap_info info;
        ride_shap_describe(m->shap, &info);
        add->bytes += info.bytes;
        add->groups += info.groups;
        add->deep_leaves += info.deep_leaves;
        return;
    }
    add->bytes += explain_gradient_bytes(m->gradient);
    if (explain_gradient_is_constant(m->gradient)) add->by_weights++;
    else add->by_gradients++;
}

/* ---- rows ---- */

/* What lies in scratch, each at a multiple of 64 bytes. */
typedef struct room {
    double *rows; /* two, and margins */
    double *z;    /* rows behind the front, for a forest */
    double *phi;  /* of them; of a network the gradients of a row */
    void *scratch;
    size_t bytes;
} room;

static void *take(room *r, uint8_t *base, size_t bytes) {
    uint8_t *at = base != NULL ? base + r->bytes : NULL;
    r->bytes += ride_whole_lines(bytes);
    return at;
}

static room room_of(const explain_member *m, void *base) {
    room r = {0};
    const size_t outputs = m->view.outputs_count, width = m->width, rows = m->rows_most;
    if (m->view.network.header != NULL) {
        r.rows = take(&r, base, (2 * (size_t)row_width(m) + outputs) * sizeof(double));
        if (m->shap != NULL) {
            r.z = take(&r, base, rows * width * sizeof(double));
            r.phi = take(&r, base, rows * outputs * (width + 1) * sizeof(double));
        } else r.phi = take(&r, base, outputs * width * sizeof(double));
    }
    r.scratch = take(&r, base,
                     m->shap != NULL ? ride_shap_scratch_bytes(m->shap) : explain_gradient_scratch_bytes(m->gradient));
    return r;
}

size_t explain_member_scratch_bytes(const explain_member *m) { return room_of(m, NULL).bytes; }

static const double *front_run(const explain_member *m, const room *r, const double *x) {
    memcpy(r->rows, x, m->view.inputs_count * sizeof *x);
    return steps_run(&m->view.network, 0, m->front_count, r->rows, r->rows + row_width(m));
}

static void forest_rows(const explain_member *m, const room *r, const double *x, uint32_t rows_count, double *phi) {
    const uint32_t inputs = m->view.inputs_count, outputs = m->view.outputs_count;
    ride_cpu_matrix matrix = {x, RIDE_FOREST_F64, inputs, 1};
    if (m->view.network.header == NULL) {
        ride_shap_rows(m->shap, r->scratch, &matrix, rows_count, phi);
        return;
    }
    for (uint32_t row = 0; row < rows_count; row++)
        memcpy(r->z + (size_t)row * m->width, front_run(m, r, x + (size_t)row * inputs), m->width * sizeof *r->z);
    matrix = (ride_cpu_matrix){r->z, RIDE_FOREST_F64, m->width, 1};
    ride_shap_rows(m->shap, r->scratch, &matrix, rows_count, r->phi);
    for (size_t k = 0; k < (size_t)rows_count * outputs; k++) {
        const double *from = r->phi + k * (m->width + 1);
        double *to = phi + k * (inputs + 1);
        memset(to, 0, inputs * sizeof *to);
        for (uint32_t i = 0; i < m->width; i++) to[m->source[i]] += from[i];
        to[inputs] = from[m->width];
    }
}

static void network_row(const explain_member *m, const room *r, const double *x, double *phi, double *gradients) {
    const uint32_t inputs = m->view.inputs_count, outputs = m->view.outputs_count;
    double *margins = r->rows + 2 * (size_t)row_width(m);
    const double *z = front_run(m, r, x);
    double *slopes = gradients != NULL ? gradients : r->phi;
    explain_gradient_row(m->gradient, r->scratch, z, slopes);
    for (uint32_t o = 0; o < outputs; o++) {
        double *to = phi + (size_t)o * (inputs + 1);
        const double *slope = slopes + (size_t)o * m->width;
        memset(to, 0, inputs * sizeof *to);
        for (uint32_t i = 0; i < m->width; i++)
            if (slope[i] != 0.0) to[m->source[i]] += slope[i] * (z[i] - m->base[i]);
        to[inputs] = m->expected[o];
    }
    margins_of(m, z, r->rows, margins);
    for (uint32_t o = 0; o < outputs; o++) {
        double *to = phi + (size_t)o * (inputs + 1), sum = 0.0;
        for (uint32_t i = 0; i < inputs; i++) { /* steps may make a number of what is none on the way */
            if (!isfinite(to[i]) && isfinite(margins[o])) to[i] = 0.0;
            sum += to[i];
        }
        for (uint32_t i = 0; gradients != NULL && i < m->width; i++)
            if (!isfinite(slopes[(size_t)o * m->width + i])) slopes[(size_t)o * m->width + i] = 0.0;
        explain_spread(to, inputs, margins[o] - m->expected[o] - sum);
    }
}

void explain_member_rows(const explain_member *m, void *scratch, const double *x, uint32_t rows_count, double *phi,
                         double *gradients) {
    const room r = room_of(m, scratch);
    const size_t inputs = m->view.inputs_count, outputs = m->view.outputs_count;
    if (m->shap != NULL) {
        forest_rows(m, &r, x, rows_count, phi);
        return;
    }
    for (size_t row = 0; row < rows_count; row++)
        network_row(m, &r, x + row * inputs, phi + row * outputs * (inputs + 1),
                    gradients != NULL ? gradients + row * outputs * inputs : NULL);
}
