/* models/compile.h: a model → the forest sections of a bundle. Here the inputs meet the vector: by name where the model
 * has names, by place where it has none. */
#ifndef RIDE_MODELS_COMPILE_H
#define RIDE_MODELS_COMPILE_H
#include "kernels/layout/bundle.h"
#include "models/ir.h"

/* One entry of the plan's vector. */
typedef struct ride_model_source {
    const char *name;
    const char *const *categories; /* names by code when it is a category of a closed set, else NULL */
    uint32_t categories_count;
} ride_model_source;

/* Adds the forest to a bundle builder. The hashes are the caller's to set (model->hash).
 *
 * With vector NULL the bundle is for rows whose column i is input i (`ride score`), and has no plan. Otherwise: a model
 * with names takes each input from the entry of that name, in any order, and entries that it does not use are left
 * alone; an input without an entry is refused, and the finding lists both sides. A model without names needs exactly as many
 * entries as inputs. It must have one output.
 * Where both sides name an input's categories, the model's sets are rewritten to the codes of the vector, and a category that
 * the model never saw is refused; where one side has no names, codes are taken as they are. Once per load; not kept. */
ride_status ride_model_to_bundle(const ride_model *model, const ride_model_source *vector, uint32_t vector_count,
                                 ride_bundle_builder *builder, ride_diagnostics *findings);

/* The same as a whole image of a bundle without a plan, with the model's hash; freed with ride_bundle_image_free. *image is NULL on failure. */
ride_status ride_model_image(const ride_model *model, uint8_t **image, uint64_t *image_bytes,
                             ride_diagnostics *findings);

#endif
