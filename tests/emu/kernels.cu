/* Kernels that are right give right results whatever the order of threads and blocks, and no sanitizer complains. Each is compared
 * with a loop. */
#include "tests/emu/check.h"

#include <algorithm>
#include <vector>

enum { N = 5000, BINS = 37 };

static unsigned mix(unsigned x) {
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

static std::vector<unsigned> numbers(unsigned count, unsigned salt) {
    std::vector<unsigned> out(count);
    for (unsigned i = 0; i < count; i++) out[i] = mix(i * 2 + salt);
    return out;
}

extern "C" __global__ void emu_histogram(const unsigned *values, unsigned count, unsigned *bins) {
    __shared__ unsigned mine[BINS];
    for (unsigned i = threadIdx.x; i < BINS; i += blockDim.x) mine[i] = 0;
    __syncthreads();
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
        atomicAdd(&mine[values[i] % BINS], 1u);
    __syncthreads();
    for (unsigned i = threadIdx.x; i < BINS; i += blockDim.x)
        if (mine[i] != 0) atomicAdd(&bins[i], mine[i]);
}

static void histogram(cudaStream_t stream) {
    std::vector<unsigned> values = numbers(N, 1), bins(BINS), expected(BINS);
    for (unsigned v : values) expected[v % BINS]++;
    OnDevice<unsigned> in(N, values.data()), out(BINS);
    cudaLaunchConfig_t config = on(stream, 3, 96);
    OK(cudaLaunchKernelEx(&config, emu_histogram, in.p, N, out.p));
    out.read(bins.data());
    CHECK(bins == expected);
}

/* Sum of all values by shuffles; one result per warp, also of a last warp that is not full. */
extern "C" __global__ void emu_warp_sum(const unsigned *values, unsigned count, unsigned long long *sums) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned long long sum = i < count ? values[i] : 0;
    for (unsigned step = 16; step > 0; step /= 2) {
        unsigned long long other = __shfl_down_sync(0xffffffffu, sum, step);
        if (threadIdx.x % 32 + step < 32 && (threadIdx.x + step) < blockDim.x) sum += other;
    }
    if (threadIdx.x % 32 == 0) sums[i / 32] = sum;
}

static void warp_sum(cudaStream_t stream) {
    enum { THREADS = 32 * 5 };
    std::vector<unsigned> values = numbers(N, 2);
    std::vector<unsigned long long> sums((N + 31) / 32 + 5), expected(sums.size());
    for (unsigned i = 0; i < N; i++) expected[i / 32] += values[i];
    OnDevice<unsigned> in(N, values.data());
    OnDevice<unsigned long long> out(sums.size());
    cudaLaunchConfig_t config = on(stream, (N + THREADS - 1) / THREADS, THREADS);
    OK(cudaLaunchKernelEx(&config, emu_warp_sum, in.p, (unsigned)N, out.p));
    out.read(sums.data());
    CHECK(sums == expected);
}

/* Every shuffle and vote once, in segments too; results as the PTX manual's pseudo code of shfl.sync gives them. */
extern "C" __global__ void emu_shuffles(int *out) {
    int lane = (int)threadIdx.x, at = lane;
    out[at] = __shfl_sync(0xffffffffu, lane * 3, 7);
    out[at += 32] = __shfl_sync(0xffffffffu, lane * 3, 5, 8);
    out[at += 32] = __shfl_up_sync(0xffffffffu, lane, 3u, 16);
    out[at += 32] = __shfl_down_sync(0xffffffffu, lane, 2u, 4);
    out[at += 32] = __shfl_xor_sync(0xffffffffu, lane, 9);
    out[at += 32] = (int)__ballot_sync(0xffffffffu, lane % 3 == 0);
    unsigned half = lane < 16 ? 0x0000ffffu : 0xffff0000u;
    out[at += 32] = (int)__ballot_sync(half, lane % 5 == 0);
    out[at += 32] = __any_sync(half, lane == 20);
    out[at += 32] = __all_sync(half, lane != 20);
    out[at += 32] = (int)(__shfl_sync(0xffffffffu, (float)lane / 4, 6) * 4);
    out[at += 32] = (int)__shfl_sync(0xffffffffu, 0x100000000ull + (unsigned)lane, 40); // lane 8
}

static void shuffles(cudaStream_t stream) {
    enum { ROWS = 11 };
    int got[ROWS * 32];
    OnDevice<int> out(ROWS * 32);
    cudaLaunchConfig_t config = on(stream, 1, 32);
    OK(cudaLaunchKernelEx(&config, emu_shuffles, out.p));
    out.read(got);
    for (int i = 0; i < 32; i++) {
        unsigned thirds = 0, fifths = 0;
        for (int j = 0; j < 32; j++) {
            if (j % 3 == 0) thirds |= 1u << j;
            if (j % 5 == 0 && j / 16 == i / 16) fifths |= 1u << j;
        }
        int expected[ROWS] = {21,
                              (i / 8 * 8 + 5) * 3,
                              i % 16 < 3 ? i : i - 3,
                              i % 4 + 2 < 4 ? i + 2 : i,
                              i ^ 9,
                              (int)thirds,
                              (int)fifths,
                              i >= 16,
                              i < 16,
                              6,
                              8};
        for (int row = 0; row < ROWS; row++)
            if (got[row * 32 + i] != expected[row]) {
                fprintf(stderr, "shuffle %d, lane %d: %d, not %d\n", row, i, got[row * 32 + i], expected[row]);
                exit(1);
            }
    }
}

/* Inclusive scan of one block through shared memory, with the barrier that votes. */
extern "C" __global__ void emu_scan(unsigned *values, int *odd) {
    __shared__ unsigned row[2][1024];
    unsigned t = threadIdx.x, side = 0;
    row[0][t] = values[t];
    __syncthreads();
    for (unsigned step = 1; step < blockDim.x; step *= 2, side ^= 1) {
        row[side ^ 1][t] = row[side][t] + (t >= step ? row[side][t - step] : 0);
        __syncthreads();
    }
    values[t] = row[side][t];
    int count = __syncthreads_count(row[side][t] % 2 != 0), any = __syncthreads_or(t == 5), all = __syncthreads_and(1);
    if (t == 0) odd[0] = count + 10000 * any + 100000 * all;
}

static void scan(cudaStream_t stream, unsigned threads) {
    std::vector<unsigned> values = numbers(threads, 3), expected = values, got(threads);
    int odd = 0, expected_odd = 100000 + (threads > 5 ? 10000 : 0);
    for (unsigned i = 1; i < threads; i++) expected[i] += expected[i - 1];
    for (unsigned v : expected) expected_odd += v % 2 != 0;
    OnDevice<unsigned> inout(threads, values.data());
    OnDevice<int> count(1);
    cudaLaunchConfig_t config = on(stream, 1, threads);
    OK(cudaLaunchKernelEx(&config, emu_scan, inout.p, count.p));
    inout.read(got.data());
    count.read(&odd);
    CHECK(got == expected);
    CHECK(odd == expected_odd);
}

/* Open addressing: a slot belongs to whose CAS comes first; what a slot counts is added up. */
extern "C" __global__ void emu_hash_insert(const unsigned *keys, unsigned count, unsigned long long *slots,
                                           unsigned slots_count, unsigned *counts) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    unsigned long long key = 0x100000000ull + keys[i];
    for (unsigned at = keys[i] * 2654435761u % slots_count;; at = (at + 1) % slots_count) {
        unsigned long long before = atomicCAS(&slots[at], 0ull, key);
        if (before != 0 && before != key) continue;
        atomicAdd(&counts[at], 1u);
        return;
    }
}

static void hash_insert(cudaStream_t stream) {
    enum { SLOTS = 512 };
    std::vector<unsigned> keys = numbers(N, 4), counts(SLOTS);
    for (unsigned &k : keys) k %= 300;
    std::vector<unsigned long long> slots(SLOTS);
    OnDevice<unsigned> in(N, keys.data()), out(SLOTS);
    OnDevice<unsigned long long> table(SLOTS);
    cudaLaunchConfig_t config = on(stream, (N + 127) / 128, 128);
    OK(cudaLaunchKernelEx(&config, emu_hash_insert, in.p, (unsigned)N, table.p, (unsigned)SLOTS, out.p));
    out.read(counts.data());
    table.read(slots.data());
    for (unsigned key = 0; key < 300; key++) {
        unsigned expected = (unsigned)std::count(keys.begin(), keys.end(), key), got = 0, times = 0;
        for (unsigned at = 0; at < SLOTS; at++)
            if (slots[at] == 0x100000000ull + key) got += counts[at], times++;
        CHECK(got == expected && times == (expected > 0));
    }
}

/* Blocks and threads of three dimensions; threads outside the picture return before the barrier. */
extern "C" __global__ void emu_transpose(const unsigned *in, unsigned *out, unsigned width, unsigned height) {
    __shared__ unsigned tile[8][9];
    unsigned x = blockIdx.x * 8 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y, z = blockIdx.z * 2 + threadIdx.z;
    if (threadIdx.z > 0) return;
    for (unsigned layer = z; layer < z + 2; layer++) {
        if (x < width && y < height) tile[threadIdx.y][threadIdx.x] = in[(layer * height + y) * width + x];
        __syncthreads();
        unsigned to_x = blockIdx.y * 8 + threadIdx.x, to_y = blockIdx.x * 8 + threadIdx.y;
        if (to_x < height && to_y < width) out[(layer * width + to_y) * height + to_x] = tile[threadIdx.x][threadIdx.y];
        __syncthreads();
    }
}

static void transpose(cudaStream_t stream) {
    enum { W = 21, H = 13, LAYERS = 4 };
    std::vector<unsigned> in = numbers(W * H * LAYERS, 5), got(in.size());
    OnDevice<unsigned> a(in.size(), in.data()), b(in.size());
    cudaLaunchConfig_t config = on(stream, dim3((W + 7) / 8, (H + 7) / 8, 2), dim3(8, 8, 2));
    OK(cudaLaunchKernelEx(&config, emu_transpose, a.p, b.p, W, H));
    b.read(got.data());
    for (unsigned z = 0; z < LAYERS; z++)
        for (unsigned y = 0; y < H; y++)
            for (unsigned x = 0; x < W; x++) CHECK(got[(z * W + x) * H + y] == in[(z * H + y) * W + x]);
}

/* Atomics of every type, lanes that leave at different times, and groups that form themselves. */
extern "C" __global__ void emu_atomics(int *i, unsigned *u, unsigned long long *l, float *f, long long *s) {
    int t = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (t % 7 == 3) return;
    atomicMin(&i[0], t - 40);
    atomicMax(&i[1], t);
    atomicSub(&i[2], 2);
    atomicAnd(&u[0], ~(1u << t % 32));
    atomicOr(&u[1], 1u << t % 11);
    atomicMax(&u[2], (unsigned)t * 5);
    atomicAdd(&l[0], 1ull << 33);
    atomicMin(&s[0], -5000000000ll - t);
    atomicAdd(&f[0], 0.5f);
    unsigned together = __activemask();
    if (__ffs((int)together) - 1 == t % 32) atomicAdd(&u[3], (unsigned)__popc(together));
}

static void atomics(cudaStream_t stream) {
    int i[3] = {0, 0, 0}, live = 0, last = 0;
    unsigned u[4] = {~0u, 0, 0, 0};
    unsigned long long l[1] = {0};
    float f[1] = {0};
    long long s[1] = {0};
    OnDevice<int> di(3, i);
    OnDevice<unsigned> du(4, u);
    OnDevice<unsigned long long> dl(1, l);
    OnDevice<float> df(1, f);
    OnDevice<long long> ds(1, s);
    cudaLaunchConfig_t config = on(stream, 3, 64);
    OK(cudaLaunchKernelEx(&config, emu_atomics, di.p, du.p, dl.p, df.p, ds.p));
    di.read(i), du.read(u), dl.read(l), df.read(f), ds.read(s);
    unsigned all_and = ~0u, all_or = 0;
    for (int t = 0; t < 3 * 64; t++) {
        if (t % 7 == 3) continue;
        live++;
        last = t;
        all_and &= ~(1u << t % 32);
        all_or |= 1u << t % 11;
    }
    CHECK(i[0] == -40 && i[1] == last && i[2] == -2 * live);
    CHECK(u[0] == all_and && u[1] == all_or && u[2] == (unsigned)last * 5 && u[3] == (unsigned)live);
    CHECK(l[0] == (unsigned long long)live << 33 && f[0] == 0.5f * (float)live && s[0] == -5000000000ll - last);
}

/* The last block to finish adds up what the others left: data, fence, counter. */
extern "C" __global__ void emu_last_block(unsigned *parts, unsigned *arrived, unsigned *total) {
    __shared__ int last;
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = blockIdx.x * 3 + 1;
        __threadfence();
        last = atomicAdd(arrived, 1u) == gridDim.x - 1;
        __threadfence();
    }
    __syncthreads();
    if (!last || threadIdx.x != 0) return;
    for (unsigned i = 0; i < gridDim.x; i++) *total += parts[i];
}

static void last_block(cudaStream_t stream) {
    OnDevice<unsigned> parts(20), arrived(1), total(1);
    cudaLaunchConfig_t config = on(stream, 20, 40);
    OK(cudaLaunchKernelEx(&config, emu_last_block, parts.p, arrived.p, total.p));
    unsigned got;
    total.read(&got);
    CHECK(got == 3 * 190 + 20);
}

/* A lock held by one thread at a time: others spin on it, and the holder gets on. */
extern "C" __global__ void emu_spin(unsigned *lock, unsigned *count) {
    for (bool done = false; !done;) {
        if (atomicCAS(lock, 0u, 1u) != 0) continue;
        __threadfence();
        *count += 1;
        __threadfence();
        atomicExch(lock, 0u);
        done = true;
    }
}

static void spin(cudaStream_t stream) {
    OnDevice<unsigned> lock(1), count(1);
    cudaLaunchConfig_t config = on(stream, 4, 64);
    OK(cudaLaunchKernelEx(&config, emu_spin, lock.p, count.p));
    unsigned got;
    count.read(&got);
    CHECK(got == 256);
}

/* Neighbours of a warp exchange through shared memory, with the warp's barrier between. */
extern "C" __global__ void emu_exchange(unsigned *out) {
    __shared__ unsigned row[128];
    unsigned t = threadIdx.x;
    row[t] = t * t;
    __syncwarp();
    unsigned got = row[t ^ 1];
    __syncwarp();
    row[t] = got + 1;
    __syncwarp();
    out[t] = row[t ^ 3];
}

static void exchange(cudaStream_t stream) {
    OnDevice<unsigned> out(128);
    cudaLaunchConfig_t config = on(stream, 1, 128);
    OK(cudaLaunchKernelEx(&config, emu_exchange, out.p));
    unsigned got[128];
    out.read(got);
    for (unsigned t = 0; t < 128; t++) CHECK(got[t] == (t ^ 2) * (t ^ 2) + 1);
}

int main() {
    cudaStream_t stream;
    OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    for (const char *order : check_orders) {
        CHECK(ride_emu_order(order) == 0);
        histogram(stream);
        warp_sum(stream);
        shuffles(stream);
        scan(stream, 1024);
        scan(stream, 37);
        scan(stream, 1);
        hash_insert(stream);
        transpose(stream);
        atomics(stream);
        last_block(stream);
        spin(stream);
        exchange(stream);
        CHECK(ride_emu_finding()[0] == 0);
    }
    OK(cudaStreamDestroy(stream));
    ride_emu_held held;
    ride_emu_get_held(&held);
    CHECK(held.device_bytes == 0 && held.streams == 0);
    return 0;
}
