/* features/spec_hash.c: the canonical text of a spec and its hash: what changes an output changes the hash; comments, the order of
 * keys and white space do not. */
#include "features/spec_internal.h"
#include "lib/hash.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* True when `name` stands in the expression as a word of its own. */
static bool mentions(const char *text, const char *name) {
    static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
    size_t bytes = strlen(name);
    for (const char *at = text; (at = strstr(at, name)) != NULL; at++) {
        bool starts = at == text || strchr(word, at[-1]) == NULL;
        if (starts && (at[bytes] == '\0' || strchr(word, at[bytes]) == NULL)) return true;
    }
    return false;
}

static void write_field(const ride_source_spec *events, uint32_t index, FILE *out) {
    const ride_field *f = &events->fields[index];
    fprintf(out, " %s:%u.%d%s", f->name, f->type, f->scale, f->rounding_error ? "!" : "");
}

/* An expression is what its text says over the fields and features that it names. Those have their ids by now: aggregates
 * get theirs first, and expressions name earlier ones only. */
static void write_expression(const ride_spec *spec, const spec_feature *f, FILE *out) {
    const ride_source_spec *events = &spec->sources[spec->source_events];
    char id[2 * sizeof spec->features[0].id + 1];
    fprintf(out, "expr %s zone %s", f->text, spec->zone);
    for (uint32_t i = 0; i < events->fields_count; i++)
        if (mentions(f->text, events->fields[i].name)) write_field(events, i, out);
    for (uint32_t i = 0; i < spec->features_count; i++)
        if (&spec_private_of(spec)->features[i] != f && mentions(f->text, spec->features[i].name))
            fprintf(out, " %s=%s", spec->features[i].name,
                    ride_hex(spec->features[i].id, sizeof spec->features[i].id, id));
}

void spec_write_feature(const ride_spec *spec, uint32_t feature, FILE *out) {
    const spec_private *p = spec_private_of(spec);
    const spec_feature *f = &p->features[feature];
    const ride_source_spec *events = &spec->sources[spec->source_events];
    const ride_entity_spec *entity = &spec->entities[f->entity];
    if (f->is_expression) {
        write_expression(spec, f, out);
        return;
    }
    const ride_plan_aggregate *a = &p->aggregates[f->aggregate];
    fprintf(out, "%s of", spec_op_name(f->op));
    if (f->field >= 0) write_field(events, (uint32_t)f->field, out);
    fprintf(out, " by");
    for (uint32_t k = 0; k < entity->keys_count; k++) write_field(events, entity->keys[k], out);
    fprintf(out, " window %" PRId64 " delay %" PRId64 " hop %" PRId64 " kind %d closed %d ties %d peers %d current %d",
            f->window_text != NULL ? f->window_us : p->entities[f->entity].lookback_us, f->delay_us, f->hop_us, f->kind,
            f->closed, f->ties, a->peers, a->current);
    fprintf(out, " where %s empty %d %.17g min %u", f->condition >= 0 ? f->text : "", f->has_empty,
            f->has_empty ? f->empty : 0.0, f->min_count);
    if (f->kind != SPEC_SLIDING) fprintf(out, " zone %s", spec->zone);
}

static void write_source(const ride_source_spec *s, FILE *out) {
    fprintf(out,
            "source %s labels %d id %d time %d unit %d label %d dedup %" PRId64 " bound %" PRId64 " lateness %" PRId64
            " order %d format %d future %" PRId64 " late %d key %d value %d\n",
            s->name, s->is_labels, s->field_id, s->field_time, s->time_unit, s->field_label, s->dedup_us, s->bound_us,
            s->allowed_lateness_us, s->order, s->format, s->max_future_us, s->late, s->field_label_key,
            s->field_label_value);
    for (uint32_t i = 0; i < s->fields_count; i++) {
        const ride_field *f = &s->fields[i];
        fprintf(out, "field %s type %u scale %d nullable %d rounding %d", f->name, f->type, f->scale, f->nullable,
                f->rounding_error);
        if (f->type == RIDE_FIELD_TIMESTAMP) fprintf(out, " unit %d", f->unit);
        if (f->has_min && f->tile_type != RIDE_TYPE_F64) fprintf(out, " min %" PRId64, f->min);
        if (f->has_max && f->tile_type != RIDE_TYPE_F64) fprintf(out, " max %" PRId64, f->max);
        if (f->has_min && f->tile_type == RIDE_TYPE_F64) fprintf(out, " min %.17g", f->min_real);
        if (f->has_max && f->tile_type == RIDE_TYPE_F64) fprintf(out, " max %.17g", f->max_real);
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
    for (int expressions = 0; expressions < 2; expressions++)
        for (uint32_t i = 0; i < spec->features_count; i++) {
            if (b->priv->features[i].is_expression != (expressions == 1)) continue;
            uint8_t digest[RIDE_SHA256_BYTES];
            fflush(out);
            size_t before = bytes;
            spec_write_feature(spec, i, out);
            fflush(out);
            ride_sha256(text + before, bytes - before, digest);
            memcpy(spec->features[i].id, digest, sizeof spec->features[i].id);
            fprintf(out, " as %u %s\n", i, spec->features[i].name);
        }
    for (uint32_t i = 0; i < spec->vector_count; i++) fprintf(out, "vector %s\n", spec->vector_names[i]);
    fclose(out);
    ride_sha256(text, bytes, spec->hash);
    free(text);
}
