/* config/budget.h: the sum of bounds: everything that a run or a service may hold, item by item, from the configuration and a few sizes
 * of the compiled spec. One arithmetic: `ride config check` prints it, the start checks it against the machine's memory, and what is sized
 * at start is sized by the same numbers.
 *
 * Not counted: the program and its libraries (some 30 MiB), and what librdkafka keeps per partition and broker. */
#ifndef RIDE_CONFIG_BUDGET_H
#define RIDE_CONFIG_BUDGET_H
#include "config/config.h"

#define RIDE_BUDGET_MIB UINT64_C(1048576)
enum {
    RIDE_BUDGET_ITEMS_MAX = 16,
    RIDE_BUDGET_ARENA_MIB = 16,     /* strings of a batch */
    RIDE_BUDGET_ROW_BYTES = 160,    /* what the host keeps of a row beside its tiles: place, key, verdict */
    RIDE_BUDGET_GROUP_ROWS = 65536, /* events of one timestamp with `ties: peers`, which no batch divides */
    RIDE_BUDGET_SERVICE_BATCHES =
        4, /* of a service with `runtime.mode: pipeline`: one in each stage, and one that waits */
    RIDE_BUDGET_LETTERS_KIB = 512,   /* rejected messages of a batch of a service, and its runs */
    RIDE_BUDGET_WINDOW_BATCHES = 64, /* batches whose results are on their way */
    RIDE_BUDGET_FETCH_MIB = 64,      /* messages fetched from Kafka and not taken yet */
    RIDE_BUDGET_OUTLET_MIB = 64,     /* results sent to Kafka and not acknowledged */
    RIDE_BUDGET_OUTLET_RESULTS = 200000,
    RIDE_BUDGET_EXPLAINER_MIB = 16,    /* what an explainer may take where reasons.memory is less */
    RIDE_BUDGET_HTTP_LOG_MIB = 64,     /* HTTP events sent to http.log_topic and not acknowledged */
    RIDE_BUDGET_HTTP_WAIT_BYTES = 160, /* of one that waits for its answer, beside its body */
};

/* What the compiled spec says. */
typedef struct ride_budget_facts {
    uint64_t tile_in_bytes, tile_out_bytes; /* of 256 rows */
    uint64_t image_bytes;                   /* spec, rules, model and profile */
    uint64_t explain_thread_bytes;          /* what explaining rows takes on each thread, at most */
    uint64_t state_bytes;                   /* window state of the keys that the spec expects; saturated */
    bool state_is_expected;                 /* each entity has expected_keys */
    bool has_peers;                         /* ties: peers */
    bool has_ids;                           /* ids are kept, for repeats or for labels */
    uint32_t shards;                        /* as placed; 0 = runtime.shards */
    bool pipelined; /* a service, as placed: reading, computing and sending on threads of their own */
} ride_budget_facts;

typedef struct ride_budget_item {
    const char *name;
    uint64_t events; /* bound in events, 0 = in bytes alone */
    uint64_t bytes;
    bool is_bounded;  /* it never takes more than `bytes` */
    bool is_expected; /* else: `bytes` is what the spec expects, and busier keys exceed it; neither: nothing is known */
    bool of_batches;  /* lies in the pool of the first shard's node */
    const char *key;  /* option that changes it, "" = none */
} ride_budget_item;

typedef struct ride_budget {
    ride_budget_item items[RIDE_BUDGET_ITEMS_MAX];
    uint32_t count;
    uint64_t bytes;  /* sum of the bounded and the expected ones; saturated */
    bool is_bounded; /* all are bounded: it is never more */
} ride_budget;

/* Items of nothing are left out. */
void ride_config_budget(const ride_config *config, const ride_budget_facts *facts, ride_budget *out);
/* What batches take together: the part that lies in the pool of the first shard's node. */
uint64_t ride_budget_of_batches(const ride_budget *budget);
/* RIDE_E_MEMORY when the sum is more than memory_bytes (0 = not known: RIDE_OK); the error says the sum and its largest parts. */
ride_status ride_budget_check(const ride_budget *budget, uint64_t memory_bytes, ride_error *err);
/* "1.5 GiB", "16.0 MiB", "0.1 MiB". Returns text; 32 bytes are enough. */
char *ride_budget_text(uint64_t bytes, char *text, size_t text_bytes_max);

#endif
