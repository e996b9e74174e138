/* kernels/layout/network.c: the checks of networks that came from a file: nothing is taken on trust, as in forest.c. */
#include "kernels/layout/network.h"

#include "kernels/layout/check.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* What all networks of a bundle need of each section. */
typedef struct totals {
    uint64_t steps, numbers, columns, inputs;
} totals;

static void add_to(totals *t, const ride_network_header *h) {
    t->steps += h->steps_count;
    t->numbers += h->numbers_count;
    t->columns += h->columns_count;
    t->inputs += h->inputs_count;
}

static ride_status check_header(const ride_network_header *h, uint32_t networks_count, ride_error *err) {
    if (h->network_version != RIDE_NETWORK_VERSION)
        return ride_fail(err, RIDE_E_VERSION, "network version %u, this program reads %u", h->network_version,
                         (unsigned)RIDE_NETWORK_VERSION);
    if (h->networks_count != networks_count || networks_count == 0 || networks_count > RIDE_NETWORKS_MAX)
        return ride_fail(err, RIDE_E_CORRUPT, "network: %u networks, the first says %u", h->networks_count,
                         networks_count);
    if (h->steps_count == 0 || h->steps_count > RIDE_NETWORK_STEPS_MAX)
        return ride_fail(err, RIDE_E_CORRUPT, "network: %u steps", h->steps_count);
    if (h->inputs_count == 0 || h->outputs_count == 0 || h->width_max > RIDE_NETWORK_WIDTH_MAX)
        return ride_fail(err, RIDE_E_CORRUPT, "network: %u inputs, %u outputs, %u numbers in a row", h->inputs_count,
                         h->outputs_count, h->width_max);
    if (h->number != RIDE_FOREST_F32 && h->number != RIDE_FOREST_F64)
        return ride_fail(err, RIDE_E_CORRUPT, "network: number type %u", h->number);
    RIDE_TRY(ride_forest_link_check("network", h->link, h->number, h->link_scale, err));
    if (h->reserved != 0 || h->more[0] != 0 || h->more[1] != 0)
        return ride_fail(err, RIDE_E_CORRUPT, "network: a reserved word is set");
    if (memchr(h->format, 0, sizeof h->format) == NULL || memchr(h->objective, 0, sizeof h->objective) == NULL)
        return ride_fail(err, RIDE_E_CORRUPT, "network: a name is not terminated");
    return RIDE_OK;
}

/* Numbers of the step's type; a divisor is not zero. */
static ride_status check_numbers(const ride_network_step *step, uint32_t index, const double *numbers, uint64_t count,
                                 bool is_divisor, bool may_nan, ride_error *err) {
    for (uint64_t i = 0; i < count; i++)
        if (!(may_nan && isnan(numbers[i])) &&
            (!isfinite(numbers[i]) || (step->number == RIDE_FOREST_F32 && (double)(float)numbers[i] != numbers[i]) ||
             (is_divisor && numbers[i] == 0.0)))
            return ride_fail(err, RIDE_E_CORRUPT, "network: step %u has the number %g", index, numbers[i]);
    return RIDE_OK;
}

/* Numbers and columns of the steps lie one after the other without gaps: *numbers and *columns are how many those before have. */
static ride_status check_step(const ride_network *net, uint32_t index, uint32_t width, uint64_t *numbers,
                              uint64_t *columns, ride_error *err) {
    const ride_network_step *step = &net->steps[index];
    const ride_network_header *h = net->header;
    if (step->kind < RIDE_STEP_IMPUTE || step->kind >= RIDE_STEPS || step->activation >= RIDE_ACTIVATIONS ||
        step->has_b > 1 || step->reserved != 0 || (step->number != RIDE_FOREST_F32 && step->number != RIDE_FOREST_F64))
        return ride_fail(err, RIDE_E_CORRUPT, "network: step %u is of kind %u, number %u, activation %u", index,
                         step->kind, step->number, step->activation);
    const bool changes = step->kind == RIDE_STEP_DENSE || step->kind == RIDE_STEP_SELECT;
    if (step->inputs != width || step->outputs == 0 || step->outputs > h->width_max ||
        (!changes && step->outputs != width))
        return ride_fail(err, RIDE_E_CORRUPT, "network: step %u makes %u numbers of %u, and there are %u", index,
                         step->outputs, step->inputs, width);
    if (step->kind != RIDE_STEP_DENSE && step->activation != RIDE_ACTIVATION_NONE)
        return ride_fail(err, RIDE_E_CORRUPT, "network: step %u has an activation", index);
    const bool may_have_b = step->kind == RIDE_STEP_DENSE || step->kind == RIDE_STEP_IMPUTE;
    const bool must_have_b = step->kind >= RIDE_STEP_SHIFT_SCALE && step->kind <= RIDE_STEP_SCALE_SHIFT;
    if (step->has_b ? !may_have_b && !must_have_b : must_have_b)
        return ride_fail(err, RIDE_E_CORRUPT, "network: step %u of kind %u and its b", index, step->kind);
    const uint64_t a = ride_step_a_count(step), b = ride_step_b_count(step);
    if (step->a_first != (a > 0 ? *numbers : 0) || step->b_first != (b > 0 ? *numbers + a : 0) ||
        a + b > h->numbers_count - *numbers)
        return ride_fail(err, RIDE_E_CORRUPT, "network: step %u has numbers at %u and %u of %u", index, step->a_first,
                         step->b_first, h->numbers_count);
    const bool imputes = step->kind == RIDE_STEP_IMPUTE, divides = step->kind == RIDE_STEP_SHIFT_DIVIDE;
    if (a > 0) RIDE_TRY(check_numbers(step, index, net->numbers + step->a_first, a, false, imputes, err));
    if (b > 0) RIDE_TRY(check_numbers(step, index, net->numbers + step->b_first, b, divides, false, err));
    *numbers += a + b;
    const uint32_t selects = step->kind == RIDE_STEP_SELECT ? step->outputs : 0;
    if (step->columns_first != (selects > 0 ? *columns : 0) || selects > h->columns_count - *columns)
        return ride_fail(err, RIDE_E_CORRUPT, "network: step %u has columns at %u of %u", index, step->columns_first,
                         h->columns_count);
    for (uint32_t i = 0; i < selects; i++)
        if (net->columns[step->columns_first + i] >= step->inputs)
            return ride_fail(err, RIDE_E_CORRUPT, "network: step %u selects %u of %u", index,
                             net->columns[step->columns_first + i], step->inputs);
    *columns += selects;
    return RIDE_OK;
}

uint32_t ride_networks_count(const ride_bundle *bundle) {
    const ride_network_header *headers = bundle->sections[RIDE_SECTION_NETWORK];
    const uint64_t bytes = bundle->sections_bytes[RIDE_SECTION_NETWORK];
    return headers != NULL && bytes >= sizeof *headers ? headers->networks_count : 0;
}

void ride_network_view(const ride_bundle *bundle, uint32_t index, ride_network *out) {
    const ride_network_header *headers = bundle->sections[RIDE_SECTION_NETWORK];
    totals before = {0};
    for (uint32_t i = 0; i < index; i++) add_to(&before, &headers[i]);
    const void *nothing = bundle->image; /* so that "from index 0 of nothing" is a pointer, too */
    const double *numbers = bundle->sections[RIDE_SECTION_NETWORK_NUMBERS];
    const uint32_t *columns = bundle->sections[RIDE_SECTION_NETWORK_COLUMNS];
    *out = (ride_network){
        .header = &headers[index],
        .steps = ride_bundle_array(bundle, RIDE_SECTION_NETWORK_STEPS, ride_network_step) + before.steps,
        .numbers = numbers != NULL ? numbers + before.numbers : nothing,
        .columns = columns != NULL ? columns + before.columns : nothing,
        .inputs = ride_bundle_array(bundle, RIDE_SECTION_NETWORK_INPUTS, uint32_t) + before.inputs,
    };
}

ride_status ride_network_open(const ride_bundle *bundle, uint32_t index, ride_network *out, ride_error *err) {
    memset(out, 0, sizeof *out);
    const ride_network_header *headers = bundle->sections[RIDE_SECTION_NETWORK];
    const uint64_t bytes = bundle->sections_bytes[RIDE_SECTION_NETWORK];
    const uint32_t count = ride_networks_count(bundle);
    if (headers == NULL) return ride_fail(err, RIDE_E_MODEL, "the bundle holds no network");
    if (count == 0 || bytes != (uint64_t)count * sizeof *headers)
        return ride_fail(err, RIDE_E_CORRUPT, "network: headers cut short");
    if (index >= count) return ride_fail(err, RIDE_E_MODEL, "the bundle holds %u networks", count);
    totals all = {0};
    for (uint32_t i = 0; i < count; i++) {
        RIDE_TRY(check_header(&headers[i], count, err));
        add_to(&all, &headers[i]);
    }
    RIDE_TRY(ride_section_check(bundle, RIDE_SECTION_NETWORK_STEPS, "network: steps", all.steps,
                                sizeof(ride_network_step), err));
    RIDE_TRY(
        ride_section_check(bundle, RIDE_SECTION_NETWORK_NUMBERS, "network: numbers", all.numbers, sizeof(double), err));
    RIDE_TRY(ride_section_check(bundle, RIDE_SECTION_NETWORK_COLUMNS, "network: columns", all.columns, sizeof(uint32_t),
                                err));
    RIDE_TRY(
        ride_section_check(bundle, RIDE_SECTION_NETWORK_INPUTS, "network: inputs", all.inputs, sizeof(uint32_t), err));
    ride_network net;
    ride_network_view(bundle, index, &net);
    const ride_network_header *h = net.header;
    uint32_t width = h->inputs_count, width_max = width;
    uint64_t numbers = 0, columns = 0;
    for (uint32_t i = 0; i < h->steps_count; i++) {
        RIDE_TRY(check_step(&net, i, width, &numbers, &columns, err));
        width = net.steps[i].outputs;
        if (width > width_max) width_max = width;
    }
    if (width != h->outputs_count || width_max != h->width_max || numbers != h->numbers_count ||
        columns != h->columns_count)
        return ride_fail(err, RIDE_E_CORRUPT, "network: ends with %u of %u numbers, uses %llu of %u and %llu of %u",
                         width, h->outputs_count, (unsigned long long)numbers, h->numbers_count,
                         (unsigned long long)columns, h->columns_count);
    *out = net;
    return RIDE_OK;
}
