/* api/context.c: contexts: threads, memory, the text of the last error. */
#include "api/arrow_columns.h"
#include "base/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ride_version(void) { return RIDE_VERSION; }

const char *ride_result_text(ride_result result) {
    switch (result) {
    case RIDE_RESULT_OK: return "ok";
    case RIDE_RESULT_ARGUMENT: return "wrong use";
    case RIDE_RESULT_NO_FILE: return "no such file";
    case RIDE_RESULT_MODEL: return "bad model";
    case RIDE_RESULT_UNSUPPORTED: return "not supported";
    case RIDE_RESULT_DATA: return "bad data";
    case RIDE_RESULT_MEMORY: return "out of memory";
    case RIDE_RESULT_INTERNAL: return "internal error";
    }
    return "unknown result";
}

ride_result api_result(ride_status status) {
    switch (status) {
    case RIDE_OK: return RIDE_RESULT_OK;
    case RIDE_E_MEMORY: return RIDE_RESULT_MEMORY;
    case RIDE_E_NO_INPUT:
    case RIDE_E_IO: return RIDE_RESULT_NO_FILE;
    case RIDE_E_MODEL:
    case RIDE_E_CORRUPT:
    case RIDE_E_VERSION: return RIDE_RESULT_MODEL;
    case RIDE_E_UNSUPPORTED: return RIDE_RESULT_UNSUPPORTED;
    case RIDE_E_DATA: return RIDE_RESULT_DATA;
    case RIDE_E_UNAVAILABLE: return RIDE_RESULT_MEMORY; /* threads */
    default: return RIDE_RESULT_INTERNAL;
    }
}

void api_begin(ride_context *context) { context->error[0] = '\0'; }

ride_result api_fail(ride_context *context, ride_result result, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(context->error, sizeof context->error, format, list);
    va_end(list);
    return result;
}

ride_result api_fail_error(ride_context *context, const ride_error *err) {
    ride_error_text(err, context->error, sizeof context->error);
    return api_result(err->status);
}

ride_result api_fail_findings(ride_context *context, const ride_diagnostics *findings) {
    size_t at = 0;
    for (uint32_t i = 0; i < findings->count; i++) {
        const ride_diagnostic *d = &findings->items[i];
        char place[300] = "";
        if (d->file != NULL && d->line > 0)
            snprintf(place, sizeof place, "%.255s:%u:%u: ", d->file, d->line, d->column);
        else if (d->file != NULL) snprintf(place, sizeof place, "%.255s: ", d->file);
        const int bytes =
            snprintf(context->error + at, sizeof context->error - at, "%s%s%s%s%s", i > 0 ? "\n" : "", place,
                     d->message, d->advice != NULL ? "; " : "", d->advice != NULL ? d->advice : "");
        if (bytes < 0 || (size_t)bytes >= sizeof context->error - at) { /* no half a finding */
            context->error[at] = '\0';
            break;
        }
        at += (size_t)bytes;
    }
    return api_result(ride_diagnostics_status(findings));
}

ride_result api_options(ride_context *context, const void *given, void *out, size_t bytes) {
    uint32_t given_bytes = 0;
    memset(out, 0, bytes);
    if (given == NULL) return RIDE_RESULT_OK;
    memcpy(&given_bytes, given, sizeof given_bytes);
    if (given_bytes < sizeof given_bytes || given_bytes > 4096)
        return api_fail(context, RIDE_RESULT_ARGUMENT, "the options' struct_bytes is %u: set it to their size",
                        given_bytes);
    for (size_t i = bytes; i < given_bytes; i++)
        if (((const uint8_t *)given)[i] != 0)
            return api_fail(context, RIDE_RESULT_UNSUPPORTED, "an option that version %s does not know", RIDE_VERSION);
    memcpy(out, given, given_bytes < bytes ? given_bytes : bytes);
    return RIDE_RESULT_OK;
}

ride_result ride_context_create(const ride_context_options *given, ride_context **out) {
    ride_context_options options;
    ride_error err = {0};
    if (out == NULL) return RIDE_RESULT_ARGUMENT;
    *out = NULL;
    ride_context *context = calloc(1, sizeof *context);
    if (context == NULL) return RIDE_RESULT_MEMORY;
    ride_result result = api_options(context, given, &options, sizeof options);
    if (options.threads == 0) options.threads = 1;
    if (result == RIDE_RESULT_OK && options.threads > API_THREADS_MAX) result = RIDE_RESULT_ARGUMENT;
    if (result == RIDE_RESULT_OK) {
        context->desks = calloc(options.threads, sizeof *context->desks);
        result = context->desks == NULL ? RIDE_RESULT_MEMORY
                                        : api_result(team_create(options.threads, &context->team, &err));
    }
    if (result == RIDE_RESULT_OK) *out = context;
    else ride_context_destroy(context);
    return result;
}

void ride_context_destroy(ride_context *context) {
    if (context == NULL) return;
    for (uint32_t i = 0; context->team != NULL && i < team_members(context->team); i++) {
        free(context->desks[i].scratch);
        free(context->desks[i].block);
    }
    team_destroy(context->team);
    free(context->desks);
    arrow_columns_free(context->columns, context->columns_max);
    free(context);
}

const char *ride_context_error(const ride_context *context) {
    return context != NULL ? context->error : "there is no context";
}
