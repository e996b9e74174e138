/* kernels/emu/runtime.h: what the emulator's parts share. One world per process, guarded by one lock that every function of the
 * runtime takes first (class Call); everything below is called with it held. */
#ifndef RIDE_KERNELS_EMU_RUNTIME_H
#define RIDE_KERNELS_EMU_RUNTIME_H
#include "kernels/emu/include/cuda_runtime.h"
#include "kernels/emu/sanitize.h"

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace ride_emu {

/* A point in a stream. Its own bytes are ThreadSanitizer's sync objects: who waits for it acquires `reached`. */
struct Moment {
    CUstream_st *stream = nullptr; // valid until it is done
    bool done = false;
    int64_t time_ns = 0;
    char queued = 0, reached = 0; // sync objects: the host's call, the end of the work
    char launched = 0, ended = 0, fence = 0;
};
typedef std::shared_ptr<Moment> MomentRef;

/* One piece of queued work. Without a call it only marks a moment. */
struct Work {
    std::unique_ptr<ride_emu_call> call;
    const void *kernel = nullptr; // NULL: the host's work, called once
    dim3 grid, block;
    std::vector<MomentRef> after; // of other streams
    MomentRef moment;
};

enum class Order { forward, backward, random };

/* A pseudo-random sequence (splitmix64). */
struct Random {
    uint64_t state;
    uint64_t next();
    unsigned below(unsigned bound) { return (unsigned)(((next() >> 32) * bound) >> 32); }
};

struct Device {
    size_t used_bytes = 0;
    cudaError_t dead = cudaSuccess; // what every call returns since a kernel failed
    CUstream_st *null_stream = nullptr;
};

struct Buffer {
    char *start;
    size_t bytes;
    int device;   // -1: pinned memory of the host
    void *region; // what was taken from the system, guards included
    size_t region_bytes;
};

struct World {
    std::mutex lock;
    size_t memory_bytes; // of each device
    std::vector<Device> devices;
    std::set<CUstream_st *> streams;   // created and not destroyed
    std::vector<CUstream_st *> queues; // all that may have work, null streams and destroyed ones included
    std::set<CUevent_st *> events;
    std::map<uintptr_t, Buffer> buffers; // by start
    Order order = Order::forward;
    uint64_t seed = 0;
    Random random{0};
    uint64_t calls = 0, fail_at = 0; // fault injection
    bool fail_sticky = false;
    std::string failed_call, finding;
};
World &world();

/* Of the calling thread. */
int current_device();
void set_last_error(cudaError_t error);

/* One call of the runtime, from its first line to its last: holds the lock, counts it, and says whether it is to fail. */
class Call {
  public:
    // A call that releases does so even when it fails: nobody could try again. One that is anywhere asks for no device.
    enum Kind { plain, allocates, releases, anywhere };
    explicit Call(const char *name, Kind kind = plain);
    bool refused() const { return error != cudaSuccess; }
    /* The call's result: what made it fail before, else `result`. */
    cudaError_t end(cudaError_t result = cudaSuccess);
    /* The stream of a handle, or NULL, with the call refused. */
    CUstream_st *stream(cudaStream_t handle);
    CUevent_st *event(cudaEvent_t handle);

  private:
    std::lock_guard<std::mutex> guard;
    cudaError_t error = cudaSuccess;
};

/* memory.cc */
const Buffer *buffer_at(const void *pointer);
/* Whether something wrote round a buffer; says where, and mends it so that it is told once. */
bool guards_broken(std::string *where);
/* What lies near an address that nobody may touch. */
std::string describe_address(const void *address);
void poison(void *start, size_t bytes, uint64_t salt);

/* stream.cc */
cudaError_t enqueue(CUstream_st *stream, Work &&work);
void wait_for(const MomentRef &moment);
void wait_for_device(int device);
void wait_for_all();
CUstream_st *make_stream(World *w, int device, unsigned flags);

/* block.cc: runs all blocks of a launch; what goes wrong is told in finding. */
cudaError_t run_kernel(const Work &work, const char *name, std::string *finding);

/* kernels.cc */
const std::string &kernel_name(const void *kernel);
void note_executed(const std::string &name);
/* Prints it and remembers it. */
void tell_finding(const std::string &text);

} // namespace ride_emu
#endif
