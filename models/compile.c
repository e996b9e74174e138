/* models/compile.c: the compiler from IR to the layout of forest.h. It re-lays each tree breadth first (which drops what the
 * trainer pruned), puts a tree's weight into its leaves with one float product as DART does, and turns category sets to bits. */
#include "models/compile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CATEGORY_WORDS_MAX = 1 << 24, LIST_BYTES = 400 };
static const uint32_t none = UINT32_MAX;

typedef struct compiler {
    const ride_model *model;
    const ride_model_source *vector; /* NULL = no plan */
    uint32_t vector_count;
    ride_diagnostics *findings;
    uint32_t *inputs; /* vector entry of each input */
    ride_forest_tree *trees;
    ride_forest_node *nodes;
    uint32_t nodes_count;
    double *covers; /* of nodes */
    bool has_covers;
    uint32_t *words;
    uint32_t words_count, words_count_max;
    uint32_t *queue;  /* old index of each new node of a tree */
    uint32_t **codes; /* per input: the vector's code of each of the model's categories, or none; NULL = as they are */
    uint32_t depth_max;
} compiler;

static ride_status no_memory(compiler *c) {
    return ride_diagnose(c->findings, RIDE_E_MEMORY, NULL, 0, 0, NULL, "no memory to compile the model");
}

/* "a, b, c … (41)": names up to the room. */
static void list_names(char *text, uint32_t count, const char *(*name_of)(const void *, uint32_t), const void *of) {
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        const char *name = name_of(of, i);
        int more = snprintf(text + at, LIST_BYTES - at, "%s%s", i > 0 ? ", " : "", name != NULL ? name : "?");
        if (more < 0 || at + (size_t)more >= LIST_BYTES - 24) {
            snprintf(text + at, LIST_BYTES - at, " … (%u)", count);
            return;
        }
        at += (size_t)more;
    }
}
static const char *name_of_input(const void *of, uint32_t i) { return ((const ride_model *)of)->inputs[i].name; }
static const char *name_of_source(const void *of, uint32_t i) { return ((const ride_model_source *)of)[i].name; }

static ride_status refuse_mismatch(compiler *c, const char *why) {
    char wants[LIST_BYTES], has[LIST_BYTES];
    if (c->model->has_names) list_names(wants, c->model->inputs_count, name_of_input, c->model);
    else snprintf(wants, sizeof wants, "%u inputs without names", c->model->inputs_count);
    list_names(has, c->vector_count, name_of_source, c->vector);
    return ride_diagnose(c->findings, RIDE_E_MODEL, NULL, 0, 0, "name the model's features in `vector`",
                         "%s; the model wants: %s; the vector has: %s", why, wants, has);
}

typedef struct named {
    const char *name;
    uint32_t index;
} named;
static int compare_named(const void *a, const void *b) {
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static ride_status match_inputs(compiler *c) {
    const ride_model *model = c->model;
    char why[160];
    if (!model->has_names) {
        if (model->inputs_count != c->vector_count)
            return refuse_mismatch(c, "the model has no names and another number of inputs");
        for (uint32_t i = 0; i < model->inputs_count; i++) c->inputs[i] = i;
        return RIDE_OK;
    }
    named *sorted = malloc((c->vector_count + 1) * sizeof *sorted);
    if (sorted == NULL) return no_memory(c);
    for (uint32_t i = 0; i < c->vector_count; i++) sorted[i] = (named){c->vector[i].name, i};
    qsort(sorted, c->vector_count, sizeof *sorted, compare_named);
    uint32_t missing = 0, first = 0;
    for (uint32_t i = 0; i < model->inputs_count; i++) {
        named key = {model->inputs[i].name, 0};
        const named *found = bsearch(&key, sorted, c->vector_count, sizeof *sorted, compare_named);
        if (found != NULL) c->inputs[i] = found->index;
        else if (missing++ == 0) first = i;
    }
    free(sorted);
    if (missing == 0) return RIDE_OK;
    snprintf(why, sizeof why, "the vector lacks %u of the model's features, first `%.80s`", missing,
             model->inputs[first].name);
    return refuse_mismatch(c, why);
}

/* Then codes are the trainer's, in an order of its own. */
static bool has_names_of_categories(const ride_model *model) {
    for (uint32_t i = 0; i < model->inputs_count; i++)
        if (model->inputs[i].categories != NULL) return true;
    return false;
}

/* Translation of one input's category codes from the model's to the vector's. */
static ride_status match_categories(compiler *c, uint32_t input_index) {
    const ride_model_input *input = &c->model->inputs[input_index];
    const ride_model_source *source = &c->vector[c->inputs[input_index]];
    if (!input->is_category && source->categories != NULL && has_names_of_categories(c->model))
        return ride_diagnose(c->findings, RIDE_E_MODEL, NULL, 0, 0, "make it a categorical feature of the model",
                             "`%.80s` is a category, which the model tests as a number whose codes are not known",
                             source->name);
    if (!input->is_category || input->categories == NULL || source->categories == NULL) return RIDE_OK;
    uint32_t *codes = malloc(input->categories_count * sizeof *codes);
    if (codes == NULL) return no_memory(c);
    c->codes[input_index] = codes;
    for (uint32_t i = 0; i < input->categories_count; i++) codes[i] = none;
    ride_status st = RIDE_OK;
    for (uint32_t k = 0; k < source->categories_count; k++) {
        uint32_t i = 0;
        while (i < input->categories_count && strcmp(input->categories[i], source->categories[k]) != 0) i++;
        if (i < input->categories_count) codes[i] = k;
        else
            st = ride_diagnose(c->findings, RIDE_E_MODEL, NULL, 0, 0, NULL,
                               "the model never saw the category `%.80s` of `%.80s`", source->categories[k],
                               source->name);
    }
    return st;
}

static ride_status add_set(compiler *c, const ride_model_node *node, ride_forest_set *out) {
    const ride_model_set *set = &c->model->sets[node->set];
    const uint32_t *members = &c->model->set_members[set->members_first];
    uint32_t input = node->input & RIDE_NODE_INPUT_MASK;
    const uint32_t *codes = c->codes != NULL ? c->codes[input] : NULL;
    uint32_t greatest = 0;
    *out = (ride_forest_set){.words_first = c->words_count};
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < set->members_count; i++) {
            uint32_t code = members[i];
            if (codes != NULL) {
                code = code < c->model->inputs[input].categories_count ? codes[code] : none;
                if (code == none) continue; /* the vector never gives it */
            }
            if (pass == 0 && code / 32 + 1 > greatest) greatest = code / 32 + 1;
            if (pass == 1) c->words[out->words_first + code / 32] |= 1u << (code % 32);
        }
        if (pass == 1) break;
        if (greatest > CATEGORY_WORDS_MAX - c->words_count)
            return ride_diagnose(c->findings, RIDE_E_MODEL, NULL, 0, 0, NULL, "category sets of more than %u MiB",
                                 CATEGORY_WORDS_MAX / (1 << 18));
        if (c->words_count + greatest > c->words_count_max) {
            uint32_t more = 2 * (c->words_count + greatest) + 64;
            uint32_t *words = realloc(c->words, more * sizeof *words);
            if (words == NULL) return no_memory(c);
            c->words = words;
            c->words_count_max = more;
        }
        if (greatest > 0) memset(c->words + c->words_count, 0, greatest * sizeof *c->words);
        out->words_count = greatest;
        c->words_count += greatest;
    }
    return RIDE_OK;
}

/* Is it said of all trees that test anything how much came to each node? */
static bool has_covers(const ride_model *model) {
    for (uint32_t t = 0; t < model->trees_count; t++) {
        const ride_model_node *nodes = &model->nodes[model->trees[t].nodes_first];
        if ((nodes[0].input & RIDE_NODE_LEAF) == 0 && !(nodes[0].cover > 0.0)) return false;
        for (uint32_t i = 0; i < model->trees[t].nodes_count; i++)
            if (!(nodes[i].cover >= 0.0) || !isfinite(nodes[i].cover)) return false;
    }
    return true;
}

static ride_status lay_tree(compiler *c, uint32_t tree_index) {
    const ride_model_tree *tree = &c->model->trees[tree_index];
    const ride_model_node *old_nodes = &c->model->nodes[tree->nodes_first];
    ride_forest_node *nodes = &c->nodes[c->nodes_count];
    uint32_t tail = 1, level_end = 1, depth = 0, i = 0;
    c->queue[0] = 0;
    for (; i < tail; i++) {
        if (i == level_end) {
            level_end = tail;
            depth++;
        }
        const ride_model_node *old = &old_nodes[c->queue[i]];
        nodes[i] = (ride_forest_node){.input = old->input};
        c->covers[c->nodes_count + i] = old->cover;
        if (old->input & RIDE_NODE_LEAF) {
            nodes[i].u.leaf = c->model->sum_number == RIDE_FOREST_F32
                                  ? (double)((float)old->value * (float)tree->weight)
                                  : old->value * tree->weight;
            if (!isfinite(nodes[i].u.leaf))
                return ride_diagnose(c->findings, RIDE_E_MODEL, NULL, 0, 0, NULL, "tree %u: a weighted leaf overflows",
                                     tree_index);
            continue;
        }
        if (old->input & RIDE_NODE_SET) RIDE_TRY(add_set(c, old, &nodes[i].u.set));
        else nodes[i].u.threshold = old->value;
        nodes[i].left = tail;
        c->queue[tail++] = old->left;
        c->queue[tail++] = old->right;
    }
    c->trees[tree_index] =
        (ride_forest_tree){.nodes_first = c->nodes_count, .nodes_count = tail, .output = tree->output, .depth = depth};
    c->nodes_count += tail;
    if (depth > c->depth_max) c->depth_max = depth;
    return RIDE_OK;
}

static ride_status add_sections(compiler *c, ride_bundle_builder *builder) {
    const ride_model *model = c->model;
    uint8_t head[sizeof(ride_forest_header) + RIDE_FOREST_OUTPUTS_MAX * sizeof(double)];
    ride_forest_header header = {
        .forest_version = RIDE_FOREST_VERSION,
        .trees_count = model->trees_count,
        .nodes_count = c->nodes_count,
        .inputs_count = model->inputs_count,
        .outputs_count = model->outputs_count,
        .category_words_count = c->words_count,
        .input_number = model->input_number,
        .sum_number = model->sum_number,
        .link = model->link,
        .link_scale = model->link_scale,
        .mean_of = model->mean_of,
        .depth_max = c->depth_max,
    };
    snprintf(header.format, sizeof header.format, "%s", model->format);
    snprintf(header.objective, sizeof header.objective, "%s", model->objective);
    memcpy(head, &header, sizeof header);
    memcpy(head + sizeof header, model->base_margins, model->outputs_count * sizeof(double));
    ride_error err;
    ride_status st = ride_bundle_builder_add(builder, RIDE_SECTION_FOREST, head,
                                             sizeof header + model->outputs_count * sizeof(double), &err);
    if (st == RIDE_OK)
        st = ride_bundle_builder_add(builder, RIDE_SECTION_FOREST_TREES, c->trees,
                                     model->trees_count * sizeof *c->trees, &err);
    if (st == RIDE_OK)
        st = ride_bundle_builder_add(builder, RIDE_SECTION_FOREST_NODES, c->nodes, c->nodes_count * sizeof *c->nodes,
                                     &err);
    if (st == RIDE_OK && c->words_count > 0)
        st = ride_bundle_builder_add(builder, RIDE_SECTION_FOREST_CATEGORIES, c->words,
                                     c->words_count * sizeof *c->words, &err);
    if (st == RIDE_OK && c->has_covers)
        st = ride_bundle_builder_add(builder, RIDE_SECTION_FOREST_COVERS, c->covers, c->nodes_count * sizeof *c->covers,
                                     &err);
    if (st == RIDE_OK && c->vector != NULL && model->inputs_count > 0)
        st = ride_bundle_builder_add(builder, RIDE_SECTION_FOREST_INPUTS, c->inputs,
                                     model->inputs_count * sizeof *c->inputs, &err);
    return st == RIDE_OK ? RIDE_OK : ride_diagnose(c->findings, st, NULL, 0, 0, NULL, "%s", err.what);
}

static ride_status compile(compiler *c, ride_bundle_builder *builder) {
    const ride_model *model = c->model;
    if (c->vector != NULL) {
        if (model->outputs_count != 1)
            return ride_diagnose(c->findings, RIDE_E_MODEL, NULL, 0, 0, "a decision needs a model with one output",
                                 "the model has %u outputs (%s)", model->outputs_count, model->objective);
        RIDE_TRY(match_inputs(c));
        ride_status st = RIDE_OK;
        for (uint32_t i = 0; i < model->inputs_count; i++) {
            ride_status one = match_categories(c, i);
            if (st == RIDE_OK) st = one;
        }
        RIDE_TRY(st);
    }
    for (uint32_t t = 0; t < model->trees_count; t++) RIDE_TRY(lay_tree(c, t));
    return add_sections(c, builder);
}

ride_status ride_model_to_bundle(const ride_model *model, const ride_model_source *vector, uint32_t vector_count,
                                 ride_bundle_builder *builder, ride_diagnostics *findings) {
    compiler c = {.model = model, .vector = vector, .vector_count = vector_count, .findings = findings};
    uint32_t nodes_most = 0;
    for (uint32_t t = 0; t < model->trees_count; t++)
        if (model->trees[t].nodes_count > nodes_most) nodes_most = model->trees[t].nodes_count;
    c.inputs = calloc(model->inputs_count + 1, sizeof *c.inputs);
    c.codes = vector != NULL ? calloc(model->inputs_count + 1, sizeof *c.codes) : NULL;
    c.trees = calloc(model->trees_count + 1, sizeof *c.trees);
    c.nodes = calloc(model->nodes_count + 1, sizeof *c.nodes);
    c.covers = calloc(model->nodes_count + 1, sizeof *c.covers);
    c.has_covers = has_covers(model);
    c.queue = calloc((size_t)nodes_most + 2, sizeof *c.queue);
    bool ok = c.inputs != NULL && (vector == NULL || c.codes != NULL) && c.trees != NULL && c.nodes != NULL &&
              c.covers != NULL && c.queue != NULL;
    ride_status st = ok ? compile(&c, builder) : no_memory(&c);
    for (uint32_t i = 0; c.codes != NULL && i < model->inputs_count; i++) free(c.codes[i]);
    free(c.codes);
    free(c.inputs);
    free(c.trees);
    free(c.nodes);
    free(c.covers);
    free(c.queue);
    free(c.words);
    return st;
}

ride_status ride_model_image(const ride_model *model, uint8_t **image, uint64_t *image_bytes,
                             ride_diagnostics *findings) {
    ride_bundle_builder *builder = NULL;
    ride_error err = {0};
    *image = NULL;
    ride_status st = ride_bundle_builder_create(&builder, &err);
    if (st != RIDE_OK) return ride_diagnose(findings, st, NULL, 0, 0, NULL, "%s", err.what);
    st = ride_model_to_bundle(model, NULL, 0, builder, findings);
    if (st == RIDE_OK) {
        ride_bundle_builder_hashes(builder, NULL, model->hash);
        st = ride_bundle_builder_build(builder, image, image_bytes, &err);
        if (st != RIDE_OK) ride_diagnose(findings, st, NULL, 0, 0, NULL, "%s", err.what);
    }
    ride_bundle_builder_destroy(builder);
    return st;
}
