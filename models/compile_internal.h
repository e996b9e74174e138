/* models/compile_internal.h: what the parts of the compiler share. Internal to models/.
 *
 * compile.c goes through the members; compile_match.c finds what feeds their inputs; compile_forest.c and compile_network.c lay their parts down.
 * The sections grow as the members are added, each one's part behind the last one's, which is their layout. */
#ifndef RIDE_MODELS_COMPILE_INTERNAL_H
#define RIDE_MODELS_COMPILE_INTERNAL_H
#include "models/compile.h"

#define RIDE_COMPILE_NONE UINT32_MAX

/* The bytes of a section so far. */
typedef struct ride_compile_part {
    uint8_t *data;
    uint64_t bytes, bytes_max;
} ride_compile_part;

typedef struct ride_compile_name {
    const char *name;
    uint32_t index; /* in the list it is of */
} ride_compile_name;

typedef struct ride_compiler {
    const ride_ensemble *ensemble;
    const ride_model_source
        *vector; /* the plan's, or the ensemble's own inputs; NULL: one model's rows, input i is column i */
    uint32_t vector_count;
    bool has_plan;
    ride_diagnostics *findings;
    ride_compile_part parts[RIDE_SECTION_LIMIT];
    ride_compile_part base_margins; /* they follow the headers of all forests */
    uint32_t forests_count, networks_count;
    uint32_t answers_count; /* of the members so far */
    /* The list that ride_compile_find_name was asked last, sorted, each name once. */
    const char *const *names_of;
    ride_compile_name *names;
    uint32_t names_of_count, names_count;
    /* Of the member under way. */
    const ride_model_member *member;
    bool is_stacker;
    uint32_t *inputs; /* what feeds each input */
    uint32_t **codes; /* per input: the vector's code of each of the model's categories, or NONE; NULL = as they are */
} ride_compiler;

/* A finding about the member under way, with its name where there are several. Returns RIDE_E_MODEL. */
ride_status ride_compile_fault(ride_compiler *c, const char *advice, const char *format, ...) RIDE_PRINTF(3, 4);
ride_status ride_compile_no_memory(ride_compiler *c);

/* Appends zero bytes to a part; NULL when memory is out. */
void *ride_compile_add(ride_compile_part *part, uint64_t bytes);
/* Room for so many more bytes, so that adding them takes no more than that; false when memory is out. */
bool ride_compile_reserve(ride_compile_part *part, uint64_t bytes);
#define RIDE_COMPILE_ADD(c, section, type, count)                                                                      \
    ((type *)ride_compile_add(&(c)->parts[RIDE_SECTION_##section], (uint64_t)(count) * sizeof(type)))
#define RIDE_COMPILE_AT(c, section, type, index) (&((type *)(void *)(c)->parts[RIDE_SECTION_##section].data)[index])

/* Fills inputs and codes of the member under way. */
ride_status ride_compile_match(ride_compiler *c);
/* Where a name is in a list of categories, the first of equal ones, or NONE. The list is sorted once as long as no other is asked. */
ride_status ride_compile_find_name(ride_compiler *c, const char *const *names, uint32_t count, const char *name,
                                   uint32_t *out);
/* The entry of that name, or NONE. */
uint32_t ride_compile_entry(const ride_compiler *c, const char *name);

/* Add the member's forest, or its steps, as the next one of the bundle. */
ride_status ride_compile_forest(ride_compiler *c);
ride_status ride_compile_network(ride_compiler *c);

#endif
