/* lib/yaml.c: libyaml's events folded into a tree. Its document loader is not used: it resolves aliases and keeps no
 * place of keys. The recursion is bounded by RIDE_YAML_DEPTH_MAX, everything allocated belongs to one list of chunks. */
#include "lib/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    max_align_t data[];
} chunk;

struct ride_yaml {
    chunk *chunks;
    const ride_yaml_node *root;
};

typedef struct builder {
    const ride_yaml_reader *reader;
    ride_yaml *yaml;
    yaml_parser_t parser;
    const char *text;
    size_t text_bytes;
    uint32_t nodes_count;
    uint32_t found; /* findings of this parse: the tree is still read to its end for more */
} builder;

static void *take(ride_yaml *yaml, size_t bytes) {
    bytes = (bytes + 15) & ~(size_t)15;
    chunk *c = yaml->chunks;
    if (c == NULL || c->size - c->used < bytes) {
        size_t size = bytes > 16384 ? bytes : 16384;
        c = malloc(sizeof *c + size);
        if (c == NULL) return NULL;
        c->next = yaml->chunks;
        c->used = 0;
        c->size = size;
        yaml->chunks = c;
    }
    void *p = (char *)c->data + c->used;
    c->used += bytes;
    return p;
}

static ride_status no_memory(const ride_yaml_reader *reader) {
    return ride_diagnose(reader->findings, RIDE_E_MEMORY, reader->path, 0, 0, NULL, "no memory to read it");
}

static ride_status found(builder *b, yaml_mark_t mark, const char *advice, const char *message) {
    b->found++;
    return ride_diagnose(b->reader->findings, b->reader->status, b->reader->path, (uint32_t)mark.line + 1,
                         (uint32_t)mark.column + 1, advice, "%s", message);
}

static ride_status next_event(builder *b, yaml_event_t *event) {
    if (yaml_parser_parse(&b->parser, event)) return RIDE_OK;
    if (b->parser.error == YAML_MEMORY_ERROR) return no_memory(b->reader);
    char message[256];
    snprintf(message, sizeof message, "not YAML: %s%s%s", b->parser.problem != NULL ? b->parser.problem : "unreadable",
             b->parser.context != NULL ? ", " : "", b->parser.context != NULL ? b->parser.context : "");
    yaml_mark_t mark = b->parser.problem_mark;
    if (b->parser.error == YAML_READER_ERROR) { /* a bad byte: the mark is not set, the offset is */
        mark.line = mark.column = 0;
        for (size_t i = 0; i < b->parser.problem_offset && i < b->text_bytes; i++) {
            mark.column++;
            if (b->text[i] == '\n') mark.line++, mark.column = 0;
        }
    }
    return found(b, mark, NULL, message);
}

/* A block scalar's text begins on a later line than its `|`: the first one with something on it. */
static void place_block_text(const builder *b, ride_yaml_node *node) {
    const char *p = b->text, *end = b->text + b->text_bytes;
    for (uint32_t line = 1; line <= node->line && p < end; line++) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (p == NULL) return;
        p++;
    }
    uint32_t line = node->line + 1, column = 1;
    for (; p < end && (*p == ' ' || *p == '\n' || *p == '\r'); p++) {
        column++;
        if (*p == '\n') line++, column = 1;
    }
    node->text_line = line;
    node->text_column = column;
}

static ride_status build_scalar(builder *b, const yaml_event_t *event, ride_yaml_node *node) {
    yaml_scalar_style_t style = event->data.scalar.style;
    size_t bytes = event->data.scalar.length;
    node->kind = RIDE_YAML_SCALAR;
    node->quoted = style != YAML_PLAIN_SCALAR_STYLE;
    node->text_line = node->line;
    node->text_column = node->column;
    if (style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE) node->text_column++;
    if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE) place_block_text(b, node);
    if (memchr(event->data.scalar.value, '\0', bytes) != NULL)
        found(b, event->start_mark, NULL, "a value with a zero byte");
    char *text = take(b->yaml, bytes + 1);
    if (text == NULL) return no_memory(b->reader);
    memcpy(text, event->data.scalar.value, bytes);
    text[bytes] = '\0';
    node->text = text;
    return RIDE_OK;
}

/* Grows an array of the children read so far; they are copied into the tree when their parent ends. */
static void *grow(void *array, uint32_t count, uint32_t *room, size_t item_bytes) {
    if (count < *room) return array;
    *room = *room == 0 ? 8 : *room * 2;
    void *bigger = realloc(array, *room * item_bytes);
    if (bigger == NULL) free(array);
    return bigger;
}

static int compare_pairs(const void *a, const void *b) {
    const ride_yaml_pair *x = *(const ride_yaml_pair *const *)a, *y = *(const ride_yaml_pair *const *)b;
    int order = strcmp(x->key, y->key);
    return order != 0 ? order : (x > y) - (x < y);
}

static ride_status find_duplicates(builder *b, const ride_yaml_pair *pairs, uint32_t count) {
    if (count < 2) return RIDE_OK;
    const ride_yaml_pair **sorted = malloc(count * sizeof *sorted);
    if (sorted == NULL) return no_memory(b->reader);
    for (uint32_t i = 0; i < count; i++) sorted[i] = &pairs[i];
    qsort(sorted, count, sizeof *sorted, compare_pairs);
    for (uint32_t i = 1; i < count; i++)
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0) {
            b->found++;
            ride_yaml_fault_key(b->reader, sorted[i], NULL, "`%.200s` is given twice (first at line %u)",
                                sorted[i]->key, sorted[i - 1]->key_line);
        }
    free(sorted);
    return RIDE_OK;
}

static ride_status build_node(builder *b, yaml_event_t *event, uint32_t depth, const ride_yaml_node **out);

static ride_status build_sequence(builder *b, uint32_t depth, ride_yaml_node *node) {
    const ride_yaml_node **items = NULL;
    uint32_t count = 0, room = 0;
    ride_status st = RIDE_OK;
    node->kind = RIDE_YAML_SEQUENCE;
    for (;;) {
        yaml_event_t event;
        RIDE_TRY_GOTO(st, next_event(b, &event), done);
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        items = grow(items, count, &room, sizeof *items);
        if (items == NULL) {
            yaml_event_delete(&event);
            return no_memory(b->reader);
        }
        RIDE_TRY_GOTO(st, build_node(b, &event, depth + 1, &items[count]), done);
        count++;
    }
    void *kept = take(b->yaml, count * sizeof *items);
    if (kept == NULL) {
        st = no_memory(b->reader);
        goto done;
    }
    if (count > 0) memcpy(kept, items, count * sizeof *items);
    node->items = kept;
    node->count = count;
done:
    free(items);
    return st;
}

/* Reads the key that `event` starts into *pair; deletes the event. */
static ride_status build_key(builder *b, yaml_event_t *event, uint32_t depth, ride_yaml_pair *pair) {
    yaml_mark_t mark = event->start_mark;
    bool scalar = event->type == YAML_SCALAR_EVENT, alias = event->type == YAML_ALIAS_EVENT;
    const ride_yaml_node *key;
    RIDE_TRY(build_node(b, event, depth + 1, &key));
    pair->key_line = (uint32_t)mark.line + 1;
    pair->key_column = (uint32_t)mark.column + 1;
    pair->key = scalar ? key->text : "";
    if (!scalar && !alias) found(b, mark, NULL, "a key must be a single word");
    if (scalar && strcmp(key->text, "<<") == 0) found(b, mark, "write the keys out", "merge keys are not supported");
    return RIDE_OK;
}

static ride_status build_mapping(builder *b, uint32_t depth, ride_yaml_node *node) {
    ride_yaml_pair *pairs = NULL;
    uint32_t count = 0, room = 0;
    ride_status st = RIDE_OK;
    node->kind = RIDE_YAML_MAPPING;
    for (;;) {
        yaml_event_t event;
        RIDE_TRY_GOTO(st, next_event(b, &event), done);
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            break;
        }
        pairs = grow(pairs, count, &room, sizeof *pairs);
        if (pairs == NULL) {
            yaml_event_delete(&event);
            return no_memory(b->reader);
        }
        RIDE_TRY_GOTO(st, build_key(b, &event, depth, &pairs[count]), done);
        RIDE_TRY_GOTO(st, next_event(b, &event), done);
        RIDE_TRY_GOTO(st, build_node(b, &event, depth + 1, &pairs[count].value), done);
        count++;
    }
    void *kept = take(b->yaml, count * sizeof *pairs);
    if (kept == NULL) {
        st = no_memory(b->reader);
        goto done;
    }
    if (count > 0) memcpy(kept, pairs, count * sizeof *pairs);
    node->pairs = kept;
    node->count = count;
    st = find_duplicates(b, node->pairs, count);
done:
    free(pairs);
    return st;
}

/* Builds the node that `event` starts; deletes the event. */
static ride_status build_node(builder *b, yaml_event_t *event, uint32_t depth, const ride_yaml_node **out) {
    yaml_mark_t mark = event->start_mark;
    ride_status st = RIDE_OK;
    ride_yaml_node *node = take(b->yaml, sizeof *node);
    if (node == NULL) {
        yaml_event_delete(event);
        return no_memory(b->reader);
    }
    *node = (ride_yaml_node){.kind = RIDE_YAML_SCALAR,
                             .line = (uint32_t)mark.line + 1,
                             .column = (uint32_t)mark.column + 1,
                             .text_line = (uint32_t)mark.line + 1,
                             .text_column = (uint32_t)mark.column + 1,
                             .text = ""};
    *out = node;
    if (++b->nodes_count > RIDE_YAML_NODES_COUNT_MAX) st = found(b, mark, NULL, "too many values in one file");
    else if (depth > RIDE_YAML_DEPTH_MAX) st = found(b, mark, NULL, "nested too deeply");
    if (st != RIDE_OK) {
        yaml_event_delete(event);
        return st;
    }
    bool anchored = false, tagged = false;
    switch (event->type) {
    case YAML_ALIAS_EVENT: found(b, mark, "write the value out", "aliases (`*name`) are not supported"); break;
    case YAML_SCALAR_EVENT:
        anchored = event->data.scalar.anchor != NULL;
        tagged = event->data.scalar.tag != NULL;
        st = build_scalar(b, event, node);
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchored = event->data.sequence_start.anchor != NULL;
        tagged = event->data.sequence_start.tag != NULL;
        st = build_sequence(b, depth, node);
        break;
    case YAML_MAPPING_START_EVENT:
        anchored = event->data.mapping_start.anchor != NULL;
        tagged = event->data.mapping_start.tag != NULL;
        st = build_mapping(b, depth, node);
        break;
    default: st = found(b, mark, NULL, "not YAML: a value is missing");
    }
    if (anchored) found(b, mark, "write the value out where it is needed", "anchors (`&name`) are not supported");
    if (tagged) found(b, mark, NULL, "tags (`!name`) are not supported");
    yaml_event_delete(event);
    return st;
}

/* STREAM-START, then (DOCUMENT-START node DOCUMENT-END)*, then STREAM-END. */
static ride_status build_stream(builder *b) {
    for (;;) {
        yaml_event_t event;
        RIDE_TRY(next_event(b, &event));
        yaml_event_type_t type = event.type;
        yaml_mark_t mark = event.start_mark;
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT || type == YAML_NO_EVENT) return RIDE_OK;
        if (type != YAML_DOCUMENT_START_EVENT) continue;
        if (b->yaml->root != NULL) return found(b, mark, NULL, "a second document in one file");
        RIDE_TRY(next_event(b, &event));
        RIDE_TRY(build_node(b, &event, 0, &b->yaml->root));
    }
}

ride_status ride_yaml_parse(const ride_yaml_reader *reader, const char *text, size_t text_bytes, ride_yaml **out) {
    static const ride_yaml_node nothing = {
        .kind = RIDE_YAML_SCALAR, .line = 1, .column = 1, .text_line = 1, .text_column = 1, .text = ""};
    *out = NULL;
    if (text_bytes > RIDE_YAML_TEXT_BYTES_MAX)
        return ride_diagnose(reader->findings, reader->status, reader->path, 0, 0, NULL, "larger than %d bytes",
                             RIDE_YAML_TEXT_BYTES_MAX);
    builder b = {.reader = reader, .text = text, .text_bytes = text_bytes, .yaml = calloc(1, sizeof(ride_yaml))};
    if (b.yaml == NULL) return no_memory(reader);
    if (!yaml_parser_initialize(&b.parser)) {
        free(b.yaml);
        return no_memory(reader);
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, text_bytes);
    ride_status st = build_stream(&b);
    yaml_parser_delete(&b.parser);
    if (st == RIDE_OK && b.found > 0) st = reader->status;
    if (st != RIDE_OK) {
        ride_yaml_destroy(b.yaml);
        return st;
    }
    if (b.yaml->root == NULL) b.yaml->root = &nothing;
    *out = b.yaml;
    return RIDE_OK;
}

ride_status ride_yaml_load(const ride_yaml_reader *reader, ride_yaml **out) {
    *out = NULL;
    FILE *file = fopen(reader->path, "rb");
    if (file == NULL)
        return ride_diagnose(reader->findings, RIDE_E_NO_INPUT, reader->path, 0, 0, NULL, "cannot open it: %s",
                             strerror(errno));
    size_t room = RIDE_YAML_TEXT_BYTES_MAX + 1; /* one more, so that a larger file is seen */
    char *text = malloc(room);
    ride_status st = RIDE_OK;
    if (text == NULL) st = no_memory(reader);
    size_t bytes = text != NULL ? fread(text, 1, room, file) : 0;
    if (st == RIDE_OK && ferror(file))
        st = ride_diagnose(reader->findings, RIDE_E_NO_INPUT, reader->path, 0, 0, NULL, "cannot read it: %s",
                           strerror(errno));
    fclose(file);
    if (st == RIDE_OK) st = ride_yaml_parse(reader, text, bytes, out);
    free(text);
    return st;
}

void ride_yaml_destroy(ride_yaml *yaml) {
    if (yaml == NULL) return;
    for (chunk *c = yaml->chunks, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    free(yaml);
}

const ride_yaml_node *ride_yaml_root(const ride_yaml *yaml) { return yaml->root; }
