/* kernels/cpu/form_narrow.c: the form of int32 words (form_words.h). ride_cpu_entity_fits_narrow keeps what does not fit away. */
#include "kernels/cpu/form_body.h"

const ride_cpu_form FORM_TABLE = {
    .record_init = record_init,
    .thresholds = thresholds,
    .prefetch = prefetch,
    .apply = apply,
    .finish = finish,
    .peers = peers,
    .entry_read = entry_read,
    .entry_append = entry_append,
    .edges_refresh = edges_refresh,
};
