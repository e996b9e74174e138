// bench/peers/handbook.cc: the 14 features of the handbook job, wired by hand: what one who needs only these would write with care.
// It knows the two keys, the seven window ends and the columns at compile time, and takes rows in time order only.
//
//   g++ -O3 -march=native -std=c++20 -o handbook bench/peers/handbook.cc
//   ./handbook tx.csv [passes]      columns as in the handbook's transactions, sorted by time
//
// Per key: a growing ring of {second, running sum before it} and one cursor per window end, which only moves forward.
// Rows go in groups: first the slots of a group are prefetched, then the keys, then the ring entries at the cursors.
// Prints ns per event of the median steady pass (CPU time of the thread) and the checksum that bench_features prints.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr uint32_t DAY = 86400, GROUP = 128;
constexpr int64_t EPOCH_WEEKDAY = 6; // second 0 is a Sunday

struct Entry {
    uint32_t second;
    int32_t before; // running sum of what came before it
};

template <int ENDS> struct Key {
    uint32_t id_plus_1 = 0, count = 0, mask = 0;
    int32_t sum = 0;
    uint32_t cursor[ENDS] = {};
    std::unique_ptr<Entry[]> ring;

    Entry &at(uint32_t i) { return ring[i & mask]; }
    // One more entry; what lies behind the last cursor is no longer needed.
    void append(uint32_t second, int32_t value) {
        if (!ring) {
            ring = std::make_unique<Entry[]>(8);
            mask = 7;
        } else if (count - cursor[ENDS - 1] > mask) {
            auto larger = std::make_unique<Entry[]>(2 * (mask + 1));
            for (uint32_t i = cursor[ENDS - 1]; i != count; i++) larger[i & (2 * mask + 1)] = at(i);
            ring = std::move(larger);
            mask = 2 * mask + 1;
        }
        at(count++) = {second, sum};
        sum += value;
    }
    // The first entry younger than `length` seconds; the newest always is.
    uint32_t move(int end, uint32_t now, uint32_t length) {
        uint32_t i = cursor[end];
        while (at(i).second + length <= now) i++;
        return cursor[end] = i;
    }
};

// Keys by id: open addressing, at most half full.
template <int ENDS> struct Table {
    std::vector<Key<ENDS>> slots = std::vector<Key<ENDS>>(1 << 12);
    size_t used = 0;
    size_t home(uint32_t id) const {
        return (id * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - std::countr_zero(slots.size()));
    }
    void prefetch(uint32_t id) const { __builtin_prefetch(&slots[home(id)], 1); }
    Key<ENDS> &get(uint32_t id) {
        size_t i = home(id);
        while (slots[i].id_plus_1 != id + 1 && slots[i].id_plus_1 != 0) i = (i + 1) & (slots.size() - 1);
        slots[i].id_plus_1 = id + 1;
        return slots[i];
    }
    void reserve_one(uint32_t id) { // before pointers into the table are kept
        if (get(id).count == 0 && get(id).ring == nullptr && 2 * ++used > slots.size()) {
            std::vector<Key<ENDS>> old(2 * slots.size());
            old.swap(slots);
            for (auto &key : old)
                if (key.id_plus_1 != 0) get(key.id_plus_1 - 1) = std::move(key);
        }
    }
};

struct Rows {
    std::vector<uint32_t> second, customer, terminal;
    std::vector<int32_t> cents;
    std::vector<uint8_t> fraud;
};

struct Features {
    double column[14][GROUP];
};

struct Engine {
    Table<3> customers;
    Table<4> terminals;

    void group(const Rows &rows, size_t first, uint32_t n, uint32_t shift, Features &out) {
        static const uint32_t customer_ends[3] = {DAY, 7 * DAY, 30 * DAY},
                              terminal_ends[4] = {7 * DAY, 8 * DAY, 14 * DAY, 37 * DAY};
        Key<3> *c[GROUP];
        Key<4> *t[GROUP];
        for (uint32_t i = 0; i < n; i++)
            customers.prefetch(rows.customer[first + i]), terminals.prefetch(rows.terminal[first + i]);
        for (uint32_t i = 0; i < n; i++)
            customers.reserve_one(rows.customer[first + i]), terminals.reserve_one(rows.terminal[first + i]);
        for (uint32_t i = 0; i < n; i++) {
            c[i] = &customers.get(rows.customer[first + i]);
            t[i] = &terminals.get(rows.terminal[first + i]);
            if (c[i]->ring) {
                __builtin_prefetch(&c[i]->at(c[i]->count), 1);
                for (uint32_t cursor : c[i]->cursor) __builtin_prefetch(&c[i]->at(cursor));
            }
            if (t[i]->ring) {
                __builtin_prefetch(&t[i]->at(t[i]->count), 1);
                for (uint32_t cursor : t[i]->cursor) __builtin_prefetch(&t[i]->at(cursor));
            }
        }
        for (uint32_t i = 0; i < n; i++) {
            uint32_t now = rows.second[first + i] + shift;
            out.column[0][i] = (now / DAY + EPOCH_WEEKDAY) % 7 >= 5;
            out.column[1][i] = now % DAY / 3600 <= 6;
            c[i]->append(now, rows.cents[first + i]);
            for (int w = 0; w < 3; w++) {
                uint32_t edge = c[i]->move(w, now, customer_ends[w]), count = c[i]->count - edge;
                out.column[2 + w][i] = count;
                out.column[5 + w][i] = (c[i]->sum - c[i]->at(edge).before) / (100.0 * count);
            }
            t[i]->append(now, rows.fraud[first + i]);
            uint32_t upper = t[i]->move(0, now, terminal_ends[0]);
            for (int w = 1; w < 4; w++) {
                uint32_t edge = t[i]->move(w, now, terminal_ends[w]), count = upper - edge;
                out.column[7 + w][i] = count;
                out.column[10 + w][i] = count ? double(t[i]->at(upper).before - t[i]->at(edge).before) / count : 0;
            }
        }
    }
};

double now_s() {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

Rows read(const char *path) {
    Rows rows;
    FILE *file = std::fopen(path, "r");
    char line[256], date[32];
    if (file == nullptr || std::fgets(line, sizeof line, file) == nullptr) std::exit(1);
    unsigned id, customer, terminal, second, days, fraud;
    double amount;
    while (std::fgets(line, sizeof line, file) != nullptr) {
        if (std::sscanf(line, "%u,%19[^,],%u,%u,%lf,%u,%u,%u", &id, date, &customer, &terminal, &amount, &second, &days,
                        &fraud) != 8)
            std::exit(1);
        rows.second.push_back(second);
        rows.customer.push_back(customer);
        rows.terminal.push_back(terminal);
        rows.cents.push_back(int32_t(amount * 100 + 0.5));
        rows.fraud.push_back(uint8_t(fraud));
    }
    std::fclose(file);
    return rows;
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    Rows rows = read(argv[1]);
    size_t all = rows.second.size();
    int passes = argc > 2 ? std::atoi(argv[2]) : 5;
    uint32_t span = (rows.second.back() - rows.second.front()) / DAY * DAY + DAY;
    Engine engine;
    static Features out;
    uint64_t checksum = 0;
    std::vector<double> figures;
    for (int pass = 0; pass < passes; pass++) {
        double seconds = 0;
        for (size_t first = 0; first < all;) {
            double start = now_s(); // a clock call per 8,192 rows
            size_t stop = std::min(all, first + 64 * GROUP);
            for (; first < stop; first += GROUP) {
                uint32_t n = uint32_t(std::min<size_t>(GROUP, all - first));
                engine.group(rows, first, n, uint32_t(pass) * span, out);
                if (pass == 0)
                    for (auto &column : out.column)
                        for (uint32_t i = 0; i < n; i++) checksum += std::bit_cast<uint64_t>(column[i]);
            }
            seconds += now_s() - start;
        }
        std::printf("  pass %d %.2f ns/event\n", pass, 1e9 * seconds / double(all));
        if (pass > 0) figures.push_back(1e9 * seconds / double(all));
    }
    std::sort(figures.begin(), figures.end());
    if (!figures.empty()) std::printf("ns_per_event=%.2f min=%.2f\n", figures[figures.size() / 2], figures[0]);
    std::printf("checksum=%016llx\n", static_cast<unsigned long long>(checksum));
}
