// Drives a stream-to-stream design that Verilator has translated: words in, words out, no Python
// in the loop. The build defines the names of the ports (IN_*, OUT_*) in harness_ports.h.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "Vrtl.h"
#include "harness_ports.h"
#include "verilated.h"
#ifdef ROWFORGE_TRACE_VCD
#include "verilated_vcd_c.h"
using TraceFile = VerilatedVcdC;
#elif defined(ROWFORGE_TRACE_FST)
#include "verilated_fst_c.h"
using TraceFile = VerilatedFstC;
#endif
#if defined(ROWFORGE_TRACE_VCD) || defined(ROWFORGE_TRACE_FST)
#define ROWFORGE_TRACE
#endif

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr uint64_t kNever = ~uint64_t{0};
constexpr int64_t kBeat = 1000;  // what a beat costs on a paced link

// SplitMix64: a good enough source of stalls, the same on every machine.
struct Random {
    uint64_t state = 0;
    bool coin() {
        uint64_t z = (state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return ((z ^ (z >> 31)) & 1) != 0;
    }
};

struct Engine {
    VerilatedContext context;
    std::unique_ptr<Vrtl> top;
#ifdef ROWFORGE_TRACE
    std::unique_ptr<TraceFile> trace;
#endif
    uint64_t cycles = 0;  // since creation

    // the run in progress
    const uint64_t* words = nullptr;
    uint64_t count = 0;
    uint64_t expect = kNever;
    uint64_t expect_zeros = kNever;  // results of value 0, in place of a number of results
    uint64_t zeros = 0;
    uint64_t idle_limit = 0;
    bool stalls = false;
    Random random;
    bool offering = false;  // a word on offer stays until it is taken
    int64_t rate = kBeat;      // added to the credit a cycle; kBeat and more: the link is not paced
    int64_t credit = kBeat;    // beats cross while it is a whole one
    uint64_t accepted = 0;
    uint64_t start = 0;          // cycle in which the run began
    uint64_t first_accept = 0;   // cycle of the first word taken
    uint64_t last_result = 0;    // cycle of the last result
    uint64_t last_progress = 0;  // cycle of the last word taken or given
    std::vector<uint64_t> results;

    Engine(uint64_t seed, const char* trace_path) {
        context.randReset(2);  // whatever has no initial value starts at random
        context.randSeed(static_cast<int>(seed));
#ifdef ROWFORGE_TRACE
        context.traceEverOn(true);
#endif
        top = std::make_unique<Vrtl>(&context, "rtl");
#ifdef ROWFORGE_TRACE
        if (trace_path != nullptr) {
            trace = std::make_unique<TraceFile>();
            top->trace(trace.get(), 99);
            trace->open(trace_path);
        }
#else
        (void)trace_path;
#endif
        top->clk = 0;
        top->rst = 1;
        top->IN_VALID = 0;
        top->IN_PAYLOAD = 0;
        top->OUT_READY = 0;
        top->eval();
    }

    ~Engine() {
#ifdef ROWFORGE_TRACE
        if (trace) trace->close();
#endif
        top->final();
    }

    void dump(uint64_t phase) {
#ifdef ROWFORGE_TRACE
        if (trace) trace->dump(2 * cycles + phase);
#else
        (void)phase;
#endif
    }

    void settle() {
        top->clk = 0;
        top->eval();
        dump(0);
    }

    void edge() {
        top->clk = 1;
        top->eval();
        dump(1);
        ++cycles;
    }

    void reset(uint64_t length) {
        top->rst = 1;
        top->IN_VALID = 0;
        top->OUT_READY = 0;
        for (uint64_t i = 0; i < length; ++i) {
            settle();
            edge();
        }
        top->rst = 0;
        settle();
        edge();  // the engine's own reset ends a cycle later: from here on words are taken
        offering = false;
    }

    bool finished() const {
        if (accepted < count) return false;
        if (expect_zeros != kNever) return zeros >= expect_zeros;
        if (expect != kNever) return results.size() >= expect;
        return cycles - last_progress >= idle_limit;
    }

    void cycle() {
        const bool open = rate >= kBeat || credit >= kBeat;
        if (!offering) offering = open && accepted < count && !(stalls && random.coin());
        top->IN_VALID = offering;
        top->IN_PAYLOAD = offering ? words[accepted] : 0;
        const bool ready = open && !(stalls && random.coin());
        top->OUT_READY = ready;
        settle();
        const bool taken = offering && top->IN_READY;
        const bool given = ready && top->OUT_VALID;
        if (given) results.push_back(top->OUT_PAYLOAD);
        if (given && top->OUT_PAYLOAD == 0) ++zeros;
        if (taken && accepted == 0) first_accept = cycles;
        if (given) last_result = cycles;
        if (taken || given) last_progress = cycles;
        accepted += taken;
        if (taken) offering = false;
        credit = std::min(credit - kBeat * (int(taken) + int(given)) + rate, kBeat);
        edge();
    }
};

}  // namespace

EXPORT void* rowforge_create(uint64_t seed, const char* trace_path) {
    return new Engine(seed, trace_path);
}

EXPORT void rowforge_destroy(void* handle) { delete static_cast<Engine*>(handle); }

EXPORT void rowforge_reset(void* handle, uint64_t length) {
    static_cast<Engine*>(handle)->reset(length);
}

// Starts a run; `words` must live until it ends. `expect` of all ones: until idle for `idle_limit`.
EXPORT void rowforge_begin(void* handle, const uint64_t* words, uint64_t count, uint64_t expect,
                           uint64_t idle_limit, int stalls, uint64_t stall_seed) {
    auto& e = *static_cast<Engine*>(handle);
    e.words = words;
    e.count = count;
    e.expect = expect;
    e.expect_zeros = kNever;
    e.zeros = 0;
    e.idle_limit = idle_limit;
    e.stalls = stalls != 0;
    e.random.state = stall_seed;
    e.offering = false;
    e.accepted = 0;
    e.results.clear();
    e.start = e.first_accept = e.last_result = e.last_progress = e.cycles;
}

// Paces both streams together from now on: each cycle adds `rate` thousandths of a beat to a credit
// of at most one, and a beat crosses in either direction while there is a whole one. 1000: no pace.
EXPORT void rowforge_pace(void* handle, int64_t rate) {
    auto& e = *static_cast<Engine*>(handle);
    e.rate = rate;
    e.credit = kBeat;
}

// After rowforge_begin: the run ends when all words are taken and so many results were 0.
EXPORT void rowforge_expect_zeros(void* handle, uint64_t count) {
    static_cast<Engine*>(handle)->expect_zeros = count;
}

// Runs for at most `cycles`; returns 1 when the run is finished.
EXPORT int rowforge_advance(void* handle, uint64_t cycles) {
    auto& e = *static_cast<Engine*>(handle);
    for (uint64_t i = 0; i < cycles && !e.finished(); ++i) e.cycle();
    return e.finished();
}

// Fills {accepted, received, cycles of the run, first accept, last result, cycles in all, breaches of
// a memory's rules}; the two cycle numbers count from the start of the run.
EXPORT void rowforge_status(void* handle, uint64_t status[7]) {
    const auto& e = *static_cast<const Engine*>(handle);
    status[0] = e.accepted;
    status[1] = e.results.size();
    status[2] = e.cycles - e.start;
    status[3] = e.first_accept - e.start;
    status[4] = e.last_result - e.start;
    status[5] = e.cycles;
#ifdef ROWFORGE_VIOLATIONS
    status[6] = e.top->violations;
#else
    status[6] = 0;
#endif
}

EXPORT const uint64_t* rowforge_results(void* handle) {
    return static_cast<const Engine*>(handle)->results.data();
}
