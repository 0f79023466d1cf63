// Drives the memory port of a design that Verilator has translated: bursts in, words compared with
// a plain array, and the port's handshakes with the cycle model of the memory, cycle by cycle.

#include <cstdint>
#include <memory>
#include <vector>

#include "Vrtl.h"
#include "memory.h"
#include "verilated.h"

#define EXPORT extern "C" __attribute__((visibility("default")))
#define PORT(name) port___05F##name

namespace {

struct Random {
    uint64_t state = 0;
    uint64_t next() {  // SplitMix64
        uint64_t z = (state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    bool chance(uint64_t thousandths) { return next() % 1000 < thousandths; }
    uint64_t below(uint64_t n) { return next() % n; }
};

struct Burst {
    uint64_t address = 0;
    int beats = 1;
    bool write = false;
};

// How bursts are drawn; mirrored in sim/memory/bench.py.
struct Traffic {
    int64_t bursts;      // how many
    int64_t beats;       // of each; 0: any number, short ones more often
    int64_t areas;       // places near which they lie; 0: anywhere
    int64_t sequential;  // thousandths that go on where the last one ended
    int64_t writes;      // thousandths that write
    int64_t pauses;      // thousandths of cycles without a new request
    int64_t stalls;      // thousandths of cycles without a new word to write
    int64_t delay;       // cycles before the first request
};

struct Outcome {
    int64_t cycles, words, mismatches, differences, violations, kinds, activates, refreshes;
    int64_t longest;     // cycles that a request waited to be accepted
};

struct Model {
    int64_t kind = 0;    // 0: none, 1: RAM, 2: SDRAM
    RamModel ram;
    SdramModel sdram;
    bool request_ready() const { return kind == 1 ? ram.request_ready() : sdram.request_ready(); }
    bool write_ready() const { return kind == 1 ? ram.write_ready() : sdram.write_ready(); }
    bool read_valid() const { return kind == 1 ? ram.read_valid() : sdram.read_valid(); }
    void clock(const MemoryAsk& ask) { kind == 1 ? ram.clock(ask) : sdram.clock(ask); }
};

struct Bench {
    VerilatedContext context;
    std::unique_ptr<Vrtl> top;
    Model model;
    Random random;
    int port_bits;
    std::vector<uint64_t> words;
    std::vector<bool> known;
    int64_t cycles = 0;

    Bench(int which, int bits, int port, uint64_t seed, const int64_t* timing) : port_bits(port) {
        context.randReset(2);
        context.randSeed(static_cast<int>(seed & 0x7fffffff));
        top = std::make_unique<Vrtl>(&context, "rtl");
        random.state = seed;
        words.resize(uint64_t{1} << bits);
        known.resize(uint64_t{1} << bits);
        model.kind = timing[0];
        if (model.kind == 1) model.ram.timing = {int(timing[1]), int(timing[2])};
        if (model.kind == 2) {
            SdramTiming& t = model.sdram.timing;
            int* const fields[] = {&t.beats, &t.cas_latency, &t.postponed, &t.column_bits,
                                   &t.bank_bits, &t.precharge, &t.activate, &t.recover,
                                   &t.refresh, &t.mode, &t.interval, &t.power_up, &t.capture};
            for (int64_t i = 0; i < 13; ++i) *fields[i] = int(timing[1 + i]);
        }
        top->which = which;
        top->PORT(request___05Fvalid) = 0;
        top->PORT(write___05Fvalid) = 0;
        top->PORT(read___05Fready) = 1;
        top->rst = 1;
        for (int i = 0; i < 4; ++i) half(0), half(1);
        top->rst = 0;
    }

    ~Bench() { top->final(); }

    void half(int clk) {
        top->clk = clk;
        top->eval();
    }

    Burst draw(const Traffic& traffic, const Burst& last, const std::vector<uint64_t>& areas) {
        Burst burst;
        const uint64_t size = words.size();
        burst.beats = int(traffic.beats);
        if (!burst.beats) burst.beats = 1 + int(random.below(random.chance(500) ? 64 : 8));
        burst.write = random.chance(uint64_t(traffic.writes));
        burst.address = random.below(size);
        if (!areas.empty()) burst.address = areas[random.below(areas.size())] + random.below(256);
        if (random.chance(uint64_t(traffic.sequential))) burst.address = last.address + last.beats;
        burst.address %= size;
        if (burst.address + burst.beats > size) burst.address = size - burst.beats;
        return burst;
    }

    Outcome run(const Traffic& traffic) {
        Outcome out = {};
        const int64_t began = cycles, activates = top->activates, refreshes = top->refreshes;
        std::vector<uint64_t> areas, writes, expected;
        std::vector<bool> compared;
        for (int64_t i = 0; i < traffic.areas; ++i) areas.push_back(random.below(words.size()));
        size_t written = 0, read = 0;
        int64_t asked = 0, waited = 0, idle = 0;
        Burst burst;
        MemoryAsk ask;
        bool offering = false;
        while (asked < traffic.bursts || ask.request || written < writes.size() ||
               read < expected.size()) {
            if (++idle > 1'000'000) { ++out.mismatches; break; }  // it hangs
            if (!ask.request && asked < traffic.bursts && cycles - began >= traffic.delay &&
                !random.chance(uint64_t(traffic.pauses))) {
                burst = draw(traffic, burst, areas);
                ask.request = true;
                ask.address = burst.address;
                ask.length = burst.beats - 1;
                ask.write = burst.write;
                ++asked;
                waited = 0;
                for (uint64_t at = burst.address; at < burst.address + burst.beats; ++at) {
                    if (burst.write) {
                        words[at] = random.next();
                        known[at] = true;
                        writes.push_back(words[at]);
                    } else {
                        expected.push_back(words[at]);
                        compared.push_back(known[at]);
                    }
                }
                out.words += burst.beats;
            }
            if (!offering) offering = written < writes.size() && !random.chance(uint64_t(traffic.stalls));
            ask.word = offering;
            top->PORT(request___05Fvalid) = ask.request;
            top->PORT(request___05Fpayload) = ask.address | uint64_t(ask.length) << port_bits |
                                              uint64_t(ask.write) << (port_bits + 6);
            top->PORT(write___05Fvalid) = offering;
            top->PORT(write___05Fpayload) = offering ? writes[written] : random.next();
            half(0);
            const bool accepted = top->PORT(request___05Fready), taken = top->PORT(write___05Fready);
            const bool given = top->PORT(read___05Fvalid);
            if (model.kind)
                out.differences += accepted != model.request_ready() ||
                                   taken != model.write_ready() || given != model.read_valid();
            if (given) {
                if (read >= expected.size()) ++out.mismatches;
                else if (compared[read] && expected[read] != top->PORT(read___05Fpayload))
                    ++out.mismatches;
                ++read;
                idle = 0;
            }
            if (taken && offering) {
                ++written;
                offering = false;
                idle = 0;
            }
            if (model.kind) model.clock(ask);
            if (ask.request) {
                if (++waited > out.longest) out.longest = waited;
                if (accepted) ask.request = false, idle = 0;
            }
            half(1);
            ++cycles;
            if (written == writes.size() && !writes.empty() && !offering) writes.clear(), written = 0;
            if (read == expected.size()) expected.clear(), compared.clear(), read = 0;
        }
        out.cycles = cycles - began;
        out.violations = top->violations;
        out.kinds = top->kinds;
        out.activates = top->activates - activates;
        out.refreshes = top->refreshes - refreshes;
        return out;
    }
};

}  // namespace

// `bits` of an address of the memory at the place `which`, `port` of one on the port of them all.
EXPORT void* rowforge_memory_create(int which, int bits, int port, uint64_t seed,
                                    const int64_t* timing) {
    return new Bench(which, bits, port, seed, timing);
}

EXPORT void rowforge_memory_destroy(void* handle) { delete static_cast<Bench*>(handle); }

EXPORT void rowforge_memory_run(void* handle, const Traffic* traffic, Outcome* outcome) {
    *outcome = static_cast<Bench*>(handle)->run(*traffic);
}
