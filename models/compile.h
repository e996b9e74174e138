/* models/compile.h: models → the sections of a bundle that give a score. Here the inputs meet the vector: by name where a model has names, by
 * place where it has none. */
#ifndef RIDE_MODELS_COMPILE_H
#define RIDE_MODELS_COMPILE_H
#include "kernels/layout/bundle.h"
#include "models/ensemble.h"

/* One entry of the plan's vector. */
typedef struct ride_model_source {
    const char *name;
    const char *const *categories; /* names by code when it is a category of a closed set, else NULL */
    uint32_t categories_count;
} ride_model_source;

/* Adds an ensemble to a bundle builder. The hashes are the caller's to set (ensemble->hash).
 *
 * With vector NULL the bundle is for rows whose column i is the ensemble's input i (`ride score`), and has no plan. Otherwise: a model
 * with names takes each input from the entry of that name, in any order, and entries that it does not use are left
 * alone; an input without an entry is refused, and the finding lists both sides. A model without names needs exactly as many
 * entries as inputs. The result must have one output. A stacker's inputs are the members' answers, by their names or all of them by place;
 * names that no member has are entries.
 * Where both sides name an input's categories, the model's sets are rewritten to the codes of the vector, and a category that
 * the model never saw is refused; where one side has no names, codes are taken as they are. Once per load; not kept. */
ride_status ride_ensemble_to_bundle(const ride_ensemble *ensemble, const ride_model_source *vector,
                                    uint32_t vector_count, ride_bundle_builder *builder, ride_diagnostics *findings);
/* The same for one model. */
ride_status ride_model_to_bundle(const ride_model *model, const ride_model_source *vector, uint32_t vector_count,
                                 ride_bundle_builder *builder, ride_diagnostics *findings);

/* The same as a whole image of a bundle without a plan, with the model's hash; freed with ride_bundle_image_free. *image is NULL on failure. */
ride_status ride_model_image(const ride_model *model, uint8_t **image, uint64_t *image_bytes,
                             ride_diagnostics *findings);
ride_status ride_ensemble_image(const ride_ensemble *ensemble, uint8_t **image, uint64_t *image_bytes,
                                ride_diagnostics *findings);

#endif
