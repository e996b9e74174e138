/* cli/top_page.c: reads the text exposition format, line by line, and what is reckoned from two pages. */
#include "cli/top_page.h"

#include "base/number.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Copies the value of a label, unescaped; false when there is no such label. labels is the text between the braces. */
static bool read_label(const char *labels, const char *end, const char *name, size_t name_bytes, char *out) {
    const char *at = labels;
    while (at < end) {
        const char *equals = memchr(at, '=', (size_t)(end - at));
        if (equals == NULL || equals + 1 >= end || equals[1] != '"') return false;
        while (at < equals && (*at == ',' || *at == ' ')) at++;
        bool wanted = (size_t)(equals - at) == name_bytes && memcmp(at, name, name_bytes) == 0;
        size_t bytes = 0;
        for (at = equals + 2; at < end && *at != '"'; at++) {
            char c = *at;
            if (c == '\\' && at + 1 < end) c = *++at == 'n' ? ' ' : *at;
            if (wanted && bytes < TOP_NAME_BYTES - 1) out[bytes++] = (unsigned char)c < 0x20 || c == 0x7f ? '?' : c;
        }
        if (wanted) {
            while (bytes > 0 && bytes == TOP_NAME_BYTES - 1 && ((unsigned char)out[bytes - 1] & 0x80) != 0) bytes--;
            out[bytes] = '\0';
            return true;
        }
        if (at < end) at++;
    }
    return false;
}

typedef struct sample {
    const char *name, *labels, *labels_end; /* labels == labels_end: none */
    size_t name_bytes;
    double value;
} sample;

/* Takes one line apart; false for comments and what is malformed. */
static bool read_sample(const char *line, const char *end, sample *out) {
    const char *at = line;
    while (at < end && *at != '{' && *at != ' ') at++;
    *out = (sample){.name = line, .name_bytes = (size_t)(at - line), .labels = at, .labels_end = at};
    if (line == end || *line == '#' || at == end) return false;
    if (*at == '{') {
        bool quoted = false;
        out->labels = ++at;
        for (; at < end && (quoted || *at != '}'); at++) {
            if (*at == '"') quoted = !quoted;
            else if (*at == '\\' && quoted && at + 1 < end) at++;
        }
        if (at == end) return false;
        out->labels_end = at++;
    }
    while (at < end && *at == ' ') at++;
    const char *value = at;
    while (at < end && *at != ' ') at++;
    if (ride_text_to_double(value, (size_t)(at - value), &out->value)) return true;
    if (at - value == 4 && memcmp(value + 1, "Inf", 3) == 0) {
        out->value = *value == '-' ? -INFINITY : INFINITY;
        return *value == '+' || *value == '-';
    }
    return false; /* NaN: nothing is known */
}

static top_item *item_of(top_list *list, const char *name) {
    for (uint32_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0) return &list->items[i];
    if (list->count == TOP_ITEMS_MAX) {
        strcpy(list->items[TOP_ITEMS_MAX - 1].name, "others");
        return &list->items[TOP_ITEMS_MAX - 1];
    }
    top_item *item = &list->items[list->count++];
    strcpy(item->name, name);
    return item;
}

/* The label that a family is summed over: its first, of requests the code. */
static void name_of(ride_metric_family family, const sample *from, char *out) {
    const char *label = family == RIDE_METRIC_HTTP_REQUESTS ? "code" : ride_metrics_about(family)->labels;
    out[0] = '\0';
    if (label[0] != '\0') read_label(from->labels, from->labels_end, label, strcspn(label, ","), out);
}

static void add_bucket(top_histogram *to, const sample *from) {
    char bound[TOP_NAME_BYTES];
    if (to->bounds_count == TOP_BOUNDS_MAX || !read_label(from->labels, from->labels_end, "le", 2, bound)) return;
    double value = INFINITY;
    if (strcmp(bound, "+Inf") != 0 && !ride_text_to_double(bound, strlen(bound), &value)) return;
    if (to->bounds_count > 0 && !(value > to->bounds[to->bounds_count - 1])) return;
    to->bounds[to->bounds_count] = value;
    to->counts[to->bounds_count++] = from->value;
}

static void add_histogram(top_page *page, ride_metric_family family, const char *suffix, const sample *from) {
    char name[TOP_NAME_BYTES];
    name_of(family, from, name);
    top_histogram *to = (top_histogram *)top_page_histogram(page, family, name);
    if (to == NULL) {
        if (page->histograms_count == TOP_HISTOGRAMS_MAX) return;
        to = &page->histograms[page->histograms_count++];
        to->family = family;
        strcpy(to->name, name);
    }
    if (strncmp(suffix, "_bucket", 7) == 0) add_bucket(to, from);
    else if (strncmp(suffix, "_sum", 4) == 0) to->sum = from->value;
}

static void add_info(top_page *page, const sample *from) {
    read_label(from->labels, from->labels_end, "version", 7, page->version);
    read_label(from->labels, from->labels_end, "backend", 7, page->backend);
    read_label(from->labels, from->labels_end, "spec_hash", 9, page->spec_hash);
    read_label(from->labels, from->labels_end, "model_hash", 10, page->model_hash);
}

static void add_sample(top_page *page, const sample *from, bool *met) {
    for (uint32_t f = 0; f < RIDE_METRIC_FAMILIES; f++) {
        const ride_metric_about *about = ride_metrics_about((ride_metric_family)f);
        size_t bytes = strlen(about->name);
        if (from->name_bytes < bytes || memcmp(from->name, about->name, bytes) != 0) continue;
        bool histogram = strcmp(ride_metric_kind_text(about->kind), "histogram") == 0;
        if (histogram ? from->name[bytes] != '_' : from->name_bytes != bytes) continue;
        if (!met[f] && strncmp(about->name, "ride_", 5) == 0) page->families_count++;
        met[f] = true;
        char name[TOP_NAME_BYTES];
        if (histogram) {
            add_histogram(page, (ride_metric_family)f, from->name + bytes, from);
            return;
        }
        if (f == RIDE_METRIC_BUILD_INFO) add_info(page, from);
        name_of((ride_metric_family)f, from, name);
        top_item *item = item_of(&page->lists[f], name);
        if (f == RIDE_METRIC_BROKER_RTT) item->value = fmax(item->value, from->value);
        else item->value += from->value;
        item->series++;
        return;
    }
}

void top_page_read(const char *text, top_page *page) {
    bool met[RIDE_METRIC_FAMILIES] = {false};
    memset(page, 0, sizeof *page);
    while (*text != '\0') {
        size_t bytes = strcspn(text, "\n");
        sample one;
        if (read_sample(text, text + bytes, &one)) add_sample(page, &one, met);
        text += bytes;
        if (*text == '\n') text++;
    }
}

double top_page_value(const top_page *page, ride_metric_family family, const char *name) {
    const top_list *list = &page->lists[family];
    for (uint32_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0) return list->items[i].value;
    return 0;
}

double top_page_sum(const top_page *page, ride_metric_family family) {
    double sum = 0;
    for (uint32_t i = 0; i < page->lists[family].count; i++) sum += page->lists[family].items[i].value;
    return sum;
}

const top_histogram *top_page_histogram(const top_page *page, ride_metric_family family, const char *name) {
    for (uint32_t i = 0; i < page->histograms_count; i++)
        if (page->histograms[i].family == family && strcmp(page->histograms[i].name, name) == 0)
            return &page->histograms[i];
    return NULL;
}

double top_delta(double before, double after) { return after >= before ? after - before : after; }

double top_observed(const top_histogram *before, const top_histogram *after) {
    if (after == NULL || after->bounds_count == 0) return 0;
    bool same = before != NULL && before->bounds_count == after->bounds_count;
    return top_delta(same ? before->counts[before->bounds_count - 1] : 0, after->counts[after->bounds_count - 1]);
}

double top_mean(const top_histogram *before, const top_histogram *after) {
    double count = top_observed(before, after);
    return count > 0 ? top_delta(before != NULL ? before->sum : 0, after->sum) / count : NAN;
}

double top_quantile(const top_histogram *before, const top_histogram *after, double q) {
    double count = top_observed(before, after), low = 0, seen = 0;
    if (!(count > 0)) return NAN;
    uint32_t last = after->bounds_count - 1;
    bool same =
        before != NULL && before->bounds_count == after->bounds_count && before->counts[last] <= after->counts[last];
    for (uint32_t b = 0; b <= last; b++) {
        double met = after->counts[b] - (same ? before->counts[b] : 0);
        if (met >= q * count && met > 0) {
            if (isinf(after->bounds[b])) return INFINITY;
            return met > seen ? low + (after->bounds[b] - low) * fmax(q * count - seen, 0) / (met - seen) : low;
        }
        low = after->bounds[b];
        seen = fmax(met, seen);
    }
    return INFINITY;
}
