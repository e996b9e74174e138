/* cub/device/device_radix_sort.cuh of the emulator: a stable sort by some bits of the keys, queued as work of its stream. It asks
 * for temporary memory and writes all over it, as CUB may. */
#ifndef RIDE_EMU_CUB_DEVICE_RADIX_SORT_CUH
#define RIDE_EMU_CUB_DEVICE_RADIX_SORT_CUH
#include "../../cuda_runtime.h"
#include <algorithm>
#include <string.h>
#include <type_traits>
#include <vector>

namespace cub {

struct DeviceRadixSort {
    /* temp NULL: bytes is set to what is needed and nothing else happens. */
    template <typename K, typename V>
    static cudaError_t SortPairs(void *temp, size_t &bytes, const K *keys_in, K *keys_out, const V *values_in,
                                 V *values_out, int count, int begin_bit = 0, int end_bit = (int)sizeof(K) * 8,
                                 cudaStream_t stream = 0) {
        static_assert(std::is_unsigned<K>::value, "the bits of other keys are ordered otherwise");
        size_t needed = 768 + ((size_t)(count > 0 ? count : 0) + 255) / 256 * 4; // like CUB, more for more keys
        if (temp == nullptr) {
            bytes = needed;
            return cudaSuccess;
        }
        if (bytes < needed || count < 0 || begin_bit < 0 || end_bit > (int)sizeof(K) * 8 || begin_bit > end_bit)
            return cudaErrorInvalidValue;
        auto work = [=] {
            K mask = end_bit - begin_bit == (int)sizeof(K) * 8 ? ~K(0) : (K)((K(1) << (end_bit - begin_bit)) - 1);
            auto key = [=](int i) { return (K)(keys_in[i] >> begin_bit) & mask; };
            std::vector<int> order((size_t)count);
            for (int i = 0; i < count; i++) order[(size_t)i] = i;
            if (mask != 0) std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return key(a) < key(b); });
            memset(temp, 0xcb, needed);
            for (int i = 0; i < count; i++) {
                keys_out[i] = keys_in[order[(size_t)i]];
                values_out[i] = values_in[order[(size_t)i]];
            }
        };
        return ride_emu_enqueue(stream, new ride_emu_host_call<decltype(work)>(work));
    }
};

} // namespace cub
#endif
