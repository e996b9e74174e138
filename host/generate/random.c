/* generate/random.c: fills the table of powers of two by integer square roots. */
#include "generate/random.h"

static uint64_t square_root(unsigned __int128 n) {
    uint64_t root = 0;
    for (int bit = 63; bit >= 0; bit--) {
        uint64_t trial = root | (UINT64_C(1) << bit);
        if ((unsigned __int128)trial * trial <= n) root = trial;
    }
    return root;
}

void random_exp2_init(random_exp2 *table) {
    /* root[j] = 2^(1/2^(j+1)) with 62 bits after the point; 2^(k/256) is the product over the bits of k. */
    uint64_t root[8], value = UINT64_C(2) << 62;
    for (int j = 0; j < 8; j++) {
        value = square_root((unsigned __int128)value << 62);
        root[j] = value;
    }
    for (uint32_t k = 0; k < 256; k++) {
        uint64_t product = UINT64_C(1) << 62;
        for (int j = 0; j < 8; j++)
            if (k >> (7 - j) & 1) product = (uint64_t)(((unsigned __int128)product * root[j]) >> 62);
        table->table_q32[k] = product >> 30;
    }
    table->table_q32[256] = UINT64_C(2) << 32;
}
