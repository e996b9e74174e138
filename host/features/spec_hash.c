/* features/spec_hash.c: the canonical text of a spec and its hash: what changes an output changes the hash; comments, the order of
 * keys and white space do not. */
#include "features/spec_internal.h"
#include "lib/hash.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void spec_write_feature(const ride_spec *spec, uint32_t feature, FILE *out) {
    const spec_private *p = spec_private_of(spec);
    const spec_feature *f = &p->features[feature];
    const ride_source_spec *events = &spec->sources[spec->source_events];
    if (f->is_expression) {
        fprintf(out, "expr %s", f->text);
        return;
    }
    fprintf(out, "%s(%s) entity", spec_op_name(f->op), f->field >= 0 ? events->fields[f->field].name : "");
    for (uint32_t k = 0; k < spec->entities[f->entity].keys_count; k++)
        fprintf(out, " %s", events->fields[spec->entities[f->entity].keys[k]].name);
    const ride_plan_aggregate *a = &p->aggregates[f->aggregate];
    fprintf(out,
            " window %" PRId64 " delay %" PRId64 " hop %" PRId64
            " kind %d closed %d ties %d current %d where %s empty %d %.17g min %u",
            f->window_us, f->delay_us, f->hop_us, f->kind, f->closed, f->ties, a->current,
            f->condition >= 0 ? f->text : "", f->has_empty, f->has_empty ? f->empty : 0.0, f->min_count);
}

static void write_source(const ride_source_spec *s, FILE *out) {
    fprintf(out,
            "source %s labels %d id %d time %d unit %d label %d dedup %" PRId64 " bound %" PRId64 " lateness %" PRId64
            " order %d\n",
            s->name, s->is_labels, s->field_id, s->field_time, s->time_unit, s->field_label, s->dedup_us, s->bound_us,
            s->allowed_lateness_us, s->order);
    for (uint32_t i = 0; i < s->fields_count; i++) {
        const ride_field *f = &s->fields[i];
        fprintf(out, "field %s type %u scale %d nullable %d rounding %d", f->name, f->type, f->scale, f->nullable,
                f->rounding_error);
        for (uint32_t c = 0; c < f->categories_count; c++) fprintf(out, " %s", f->categories[c]);
        fputc('\n', out);
    }
}

void spec_hash(spec_builder *b) {
    ride_spec *spec = b->spec;
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) {
        b->no_memory = true;
        return;
    }
    fprintf(out, "ride spec 1 zone %s\n", spec->zone);
    for (uint32_t i = 0; i < spec->sources_count; i++) write_source(&spec->sources[i], out);
    for (uint32_t i = 0; i < spec->entities_count; i++)
        fprintf(out, "entity %s lookback %" PRId64 " retention %" PRId64 "\n", spec->entities[i].name,
                b->priv->entities[i].lookback_us, b->priv->entities[i].retention_us);
    for (uint32_t i = 0; i < spec->features_count; i++) {
        long before = ftell(out);
        spec_write_feature(spec, i, out);
        fflush(out);
        uint8_t digest[RIDE_SHA256_BYTES];
        ride_sha256(text + before, bytes - (size_t)before, digest);
        memcpy(spec->features[i].id, digest, sizeof spec->features[i].id);
        fprintf(out, " as %s\n", spec->features[i].name);
    }
    for (uint32_t i = 0; i < spec->vector_count; i++) fprintf(out, "vector %s\n", spec->vector_names[i]);
    fclose(out);
    ride_sha256(text, bytes, spec->hash);
    free(text);
}
