/* serve/tokens.c: see tokens.h. */
#include "serve/tokens.h"

#include "lib/hash.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct token_set {
    uint32_t count;
    uint8_t hashes[RIDE_TOKENS_MAX][RIDE_SHA256_BYTES];
} token_set;

struct ride_tokens {
    pthread_mutex_t lock;
    char *path;
    token_set set;
};

/* Forgets a secret; the compiler must not think that nobody looks. */
static void wipe(volatile char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) text[i] = 0;
}

static ride_status read_line(const char *path, uint32_t line, char *text, token_set *set, ride_error *err) {
    size_t bytes = strcspn(text, "\r\n");
    while (bytes > 0 && (text[bytes - 1] == ' ' || text[bytes - 1] == '\t')) bytes--;
    if (bytes == 0 || text[0] == '#') return RIDE_OK;
    ride_status st = RIDE_OK;
    if (bytes < RIDE_TOKEN_BYTES_MIN || bytes > RIDE_TOKEN_BYTES_MAX)
        st = ride_fail(err, RIDE_E_CONFIG, "a token has %zu characters; %d to %d are allowed", bytes,
                       RIDE_TOKEN_BYTES_MIN, RIDE_TOKEN_BYTES_MAX);
    for (size_t i = 0; i < bytes && st == RIDE_OK; i++)
        if (text[i] <= ' ' || text[i] > '~')
            st = ride_fail(err, RIDE_E_CONFIG, "a token has a character that no header can carry");
    if (st == RIDE_OK && set->count == RIDE_TOKENS_MAX)
        st = ride_fail(err, RIDE_E_CONFIG, "more than %d tokens", RIDE_TOKENS_MAX);
    if (st != RIDE_OK) {
        ride_error_where(err, "%s:%u", path, line);
        return st;
    }
    ride_sha256(text, bytes, set->hashes[set->count++]);
    return RIDE_OK;
}

static ride_status read_file(const char *path, token_set *set, ride_error *err) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        ride_fail(err, RIDE_E_CONFIG, "cannot open the file of tokens: %s", strerror(errno));
        ride_error_where(err, "%s", path);
        return RIDE_E_CONFIG;
    }
    char buffer[4096], text[RIDE_TOKEN_BYTES_MAX + 16];
    setvbuf(file, buffer, _IOFBF, sizeof buffer);
    ride_status st = RIDE_OK;
    set->count = 0;
    for (uint32_t line = 1; st == RIDE_OK && fgets(text, sizeof text, file) != NULL; line++)
        st = read_line(path, line, text, set, err);
    bool failed = ferror(file) != 0;
    fclose(file);
    wipe(buffer, sizeof buffer);
    wipe(text, sizeof text);
    if (st == RIDE_OK && (failed || set->count == 0)) {
        st = ride_fail(err, RIDE_E_CONFIG, failed ? "cannot read the file of tokens" : "there is no token in the file");
        ride_error_where(err, "%s", path);
    }
    return st;
}

ride_status ride_tokens_open(const char *path, ride_tokens **out, ride_error *err) {
    ride_tokens *t = calloc(1, sizeof *t);
    if (t == NULL || (t->path = strdup(path)) == NULL) {
        free(t);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the tokens");
    }
    pthread_mutex_init(&t->lock, NULL);
    ride_status st = read_file(path, &t->set, err);
    if (st != RIDE_OK) {
        ride_tokens_close(t);
        return st;
    }
    *out = t;
    return RIDE_OK;
}

void ride_tokens_close(ride_tokens *t) {
    if (t == NULL) return;
    pthread_mutex_destroy(&t->lock);
    free(t->path);
    free(t);
}

ride_status ride_tokens_reload(ride_tokens *t, ride_error *err) {
    token_set set;
    ride_status st = read_file(t->path, &set, err);
    if (st != RIDE_OK) return st;
    pthread_mutex_lock(&t->lock);
    t->set = set;
    pthread_mutex_unlock(&t->lock);
    return RIDE_OK;
}

bool ride_tokens_match(ride_tokens *t, const char *authorization) {
    static const char scheme[] = "Bearer ";
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) return false;
    const char *token = authorization + sizeof scheme - 1;
    while (*token == ' ') token++;
    size_t bytes = strlen(token);
    if (bytes > RIDE_TOKEN_BYTES_MAX) return false;
    uint8_t hash[RIDE_SHA256_BYTES];
    ride_sha256(token, bytes, hash);
    bool found = false;
    pthread_mutex_lock(&t->lock);
    for (uint32_t i = 0; i < t->set.count; i++) { /* all of them, all of each: the time says nothing */
        uint8_t differs = 0;
        for (uint32_t k = 0; k < RIDE_SHA256_BYTES; k++) differs |= (uint8_t)(hash[k] ^ t->set.hashes[i][k]);
        found |= differs == 0;
    }
    pthread_mutex_unlock(&t->lock);
    return found;
}
