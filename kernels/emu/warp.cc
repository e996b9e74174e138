/* kernels/emu/warp.cc: what the lanes of a warp do together. A lane waits until all live lanes of its mask are in the same function
 * with the same mask; then each gets its answer. Several groups of one warp may be on their way. */
#include "kernels/emu/block.h"

namespace ride_emu {

static unsigned lowest(unsigned mask) { return (unsigned)__builtin_ctz(mask); }

/* What a lane gets from one that takes no part: something, and by another seed something else. */
static uint64_t undefined_value() { return Random{world().seed ^ 0x756e646566}.next(); }

/* The lane that a shuffle reads, as the PTX manual's table of shfl.sync says: c is the end of the segment. */
static unsigned source_lane(const Thread &t, unsigned self) {
    unsigned width = (unsigned)t.width, segment = self & ~(width - 1), last = segment + width - 1;
    switch (t.warp_kind) {
    case RIDE_EMU_SHFL: return segment | (t.lane & (width - 1));
    case RIDE_EMU_SHFL_UP: return t.lane > self - segment ? self : self - t.lane;
    case RIDE_EMU_SHFL_DOWN: return t.lane > last - self ? self : self + t.lane;
    default: return (self ^ t.lane) > last ? self : self ^ t.lane;
    }
}

static uint64_t answer(const Thread *lanes, unsigned self, unsigned group) {
    const Thread &t = lanes[self];
    uint64_t votes = 0;
    switch (t.warp_kind) {
    case RIDE_EMU_SYNCWARP: return 0;
    case RIDE_EMU_BALLOT:
    case RIDE_EMU_ANY:
    case RIDE_EMU_ALL:
        for (unsigned i = 0; i < 32; i++)
            if ((group >> i & 1) != 0 && lanes[i].value != 0) votes |= 1u << i;
        return t.warp_kind == RIDE_EMU_BALLOT ? votes : t.warp_kind == RIDE_EMU_ANY ? votes != 0 : votes == group;
    default: {
        unsigned from = source_lane(t, self);
        return from < 32 && (group >> from & 1) != 0 ? lanes[from].value : undefined_value();
    }
    }
}

/* Opens the group that a waiting lane belongs to, if all its lanes have come. */
static bool open_group(unsigned warp, unsigned lane) {
    Warp &w = block.warps[warp];
    Thread *lanes = &block.threads[warp * 32];
    unsigned group = lanes[lane].mask & w.live;
    if ((group & ~w.waiting) != 0) return false;
    for (unsigned i = 0; i < 32; i++)
        if ((group >> i & 1) != 0 && (lanes[i].mask != lanes[lane].mask || lanes[i].warp_kind != lanes[lane].warp_kind))
            return false;
    Thread *joined[32];
    unsigned n = 0;
    for (unsigned i = 0; i < 32; i++) {
        if ((group >> i & 1) == 0) continue;
        lanes[i].result = answer(lanes, i, group);
        joined[n++] = &lanes[i];
    }
    if (lanes[lane].warp_kind == RIDE_EMU_SYNCWARP) join(joined, n); // the others order no memory
    w.waiting &= ~group;
    make_ready(warp * 32, 32, group);
    return true;
}

void warp_check(unsigned warp) {
    for (bool opened = true; opened;) {
        opened = false;
        for (unsigned i = 0; i < 32 && !opened; i++)
            if ((block.warps[warp].waiting >> i & 1) != 0 && block.threads[warp * 32 + i].warp_kind != RIDE_EMU_ACTIVE)
                opened = open_group(warp, i);
    }
}

bool warp_answer_active() {
    World &w = world();
    bool any = false;
    for (unsigned warp = 0; warp < block.warps.size(); warp++) {
        unsigned asking = 0;
        for (unsigned i = 0; i < 32; i++)
            if ((block.warps[warp].waiting >> i & 1) != 0 && block.threads[warp * 32 + i].warp_kind == RIDE_EMU_ACTIVE)
                asking |= 1u << i;
        block.warps[warp].waiting &= ~asking;
        any = any || asking != 0;
        // CUDA promises nothing about who is together: all of them, each alone, or any parts.
        while (asking != 0) {
            unsigned group = w.order == Order::forward    ? asking
                             : w.order == Order::backward ? 1u << (31 - __builtin_clz(asking))
                                                          : asking & ((unsigned)w.random.next() | 1u << lowest(asking));
            for (unsigned i = 0; i < 32; i++)
                if ((group >> i & 1) != 0) block.threads[warp * 32 + i].result = group;
            make_ready(warp * 32, 32, group);
            asking &= ~group;
        }
    }
    return any;
}

} // namespace ride_emu

using namespace ride_emu;

uint64_t ride_emu_warp(ride_emu_warp_kind kind, unsigned mask, uint64_t value, unsigned lane, int width,
                       ride_emu_place place) {
    Thread &self = *block.self;
    unsigned warp = self.number / 32, bit = self.number % 32;
    if (kind != RIDE_EMU_ACTIVE && (mask >> bit & 1) == 0) {
        block_fail(cudaErrorLaunchFailure, self, "the mask 0x%08x at %s:%d lacks the calling lane %u", mask, place.file,
                   place.line, bit);
        block_give_up();
    }
    bool shuffles = kind >= RIDE_EMU_SHFL && kind <= RIDE_EMU_SHFL_XOR;
    if (shuffles && (width <= 0 || width > 32 || (width & (width - 1)) != 0)) {
        block_fail(cudaErrorLaunchFailure, self, "a shuffle at %s:%d has the width %d", place.file, place.line, width);
        block_give_up();
    }
    self.warp_kind = kind;
    self.mask = mask;
    self.value = value;
    self.lane = lane;
    self.width = width;
    self.place = place;
    self.state = State::at_warp;
    block.warps[warp].waiting |= 1u << bit;
    if (kind != RIDE_EMU_ACTIVE) open_group(warp, bit);
    block_suspend();
    return self.result;
}
