/* io/decoder_internal.h: what the decoders share: the decoder's own data, one accepted row's way into the batch, one
 * refused row's way to the caller. Internal to io. */
#ifndef RIDE_IO_DECODER_INTERNAL_H
#define RIDE_IO_DECODER_INTERNAL_H
#include "io/decoder.h"
#include "io/value.h"
#include "kernels/layout/plan.h"

typedef enum ride_put {
    RIDE_PUT_DONE,
    RIDE_PUT_HELD,   /* its time is beyond the stop */
    RIDE_PUT_FULL,   /* the arena has no room left: another batch */
    RIDE_PUT_REFUSED /* its strings fit no batch: reject it */
} ride_put;

typedef struct ride_decoder_ops {
    const char *name;
    /* Reads the header and sets the steps' positions. */
    ride_status (*open)(ride_decoder *decoder, ride_error *err);
    void (*close)(ride_decoder *decoder);
    ride_status (*decode)(ride_decoder *decoder, ride_batch *batch, uint32_t rows_max, int64_t time_stop_us,
                          ride_row_origin *origins, ride_error *err);
    /* Messages: the source holds one at a time, all of it, and is at its end; a byte behind it may be written. record appends it, or
     * refuses it (RIDE_PUT_REFUSED, with the reason). */
    ride_status (*open_records)(ride_decoder *decoder, ride_error *err);
    ride_put (*record)(ride_decoder *decoder, ride_batch *batch, ride_reject_reason *reason);
} ride_decoder_ops;
extern const ride_decoder_ops ride_decoder_csv, ride_decoder_ndjson, ride_decoder_binary;

struct ride_decoder {
    const ride_decoder_ops *ops;
    ride_decoder_options options;
    const ride_source_spec *spec;
    ride_source *source;
    bool of_records; /* the source is the decoder's own, for one message */
    ride_zone_rule zone;
    ride_step steps[RIDE_FIELDS_MAX + 1]; /* one per field, and one for an event time that is not declared as one */
    uint32_t steps_count;
    struct {
        uint32_t step, column;
    } stores[2 * (RIDE_FIELDS_MAX + 1)]; /* the values that are kept, in the order of the steps */
    uint32_t stores_count;
    uint32_t strings[RIDE_FIELDS_MAX + 1]; /* the steps whose strings are kept */
    uint32_t strings_count;
    uint32_t step_time;                     /* the step that gives the event time */
    ride_value values[RIDE_FIELDS_MAX + 1]; /* of the row that is read with care */
    uint64_t line;                          /* of the next record */
    bool dropping;                          /* the rest of an overlong line is still to be read over */
    uint64_t dropping_offset;               /* where that line begins */
    bool held;
    int64_t held_time;
    bool has_sensitive;
    ride_span spans[RIDE_FIELDS_MAX]; /* of the record that is refused */
    uint32_t spans_count;
    ride_decoder_stats stats;
    void *format_data; /* the format's own */
};

/* Appends the row decoder->values to the batch. raw is the record's text (for keep_raw). Does not consume it. */
ride_put ride_decoder_put(ride_decoder *decoder, ride_batch *batch, int64_t time_stop_us, ride_row_origin *origins,
                          const void *raw, size_t raw_bytes);
/* Counts a refused record and tells the caller. field may be NULL. The record's sensitive spans are decoder->spans; redact_all
 * when they are not known. */
void ride_decoder_refuse(ride_decoder *decoder, ride_reject_reason reason, uint32_t column, const ride_field *field,
                         const void *raw, size_t raw_bytes, bool redact_all);
/* Room for rows in the batch, at most rows_max. */
static inline uint32_t ride_decoder_room(const ride_batch *batch, uint32_t rows_max) {
    uint32_t room = ride_batch_rows_count_max(batch) - batch->rows_count;
    return room < rows_max ? room : rows_max;
}
/* Drops the rest of a line that is longer than any record may be, and its line feed. RIDE_END: the input ended in it. When
 * more is needed and may_fill is false (RIDE_PENDING), or the input fails or is interrupted meanwhile, the next decode goes on dropping. */
ride_status ride_decoder_drop_line(ride_decoder *decoder, bool may_fill, ride_error *err);
/* Names of a list, cut to fit: "a, b, c ...". */
void ride_list_add(char *list, size_t list_bytes_max, const char *name, size_t name_bytes);

#endif
