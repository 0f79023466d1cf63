// The harness of streams, with an observer in place of the file of waves: it writes waves of a window
// of cycles, and notes the values of named signals in every cycle.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "verilated.h"
#include "verilated_sym_props.h"
#include "verilated_syms.h"
#ifdef ROWFORGE_TRACE_FST
#include "verilated_fst_c.h"
using WaveFile = VerilatedFstC;
#undef ROWFORGE_TRACE_FST
#else
#include "verilated_vcd_c.h"
using WaveFile = VerilatedVcdC;
#undef ROWFORGE_TRACE_VCD
#endif

namespace {

// Bits of a signal that the build has made readable: Verilator keeps all of them lowest byte first.
struct Probe {
    const uint8_t* data;
    size_t bytes;  // from the one with the lowest bit on
    int shift, width;
    uint64_t value() const {
        uint64_t found = 0;
        std::memcpy(&found, data, std::min(bytes, sizeof(found)));
        found >>= shift;
        return width < 64 ? found & ((uint64_t{1} << width) - 1) : found;
    }
};

// Stands where the harness has its file of waves, and is told every half of a cycle.
class Observer final : public WaveFile {
  public:
    uint64_t begin = 0, end = 0;  // cycles of the waves
    bool noting = false;
    std::vector<Probe> probes;
    std::vector<uint64_t> notes;  // a row of all probes for each cycle

    void dump(uint64_t time) {
        const uint64_t cycle = time / 2;
        if (noting && time % 2 == 0)  // everything has settled before the edge
            for (const Probe& probe : probes) notes.push_back(probe.value());
        if (cycle >= begin && cycle < end) WaveFile::dump(time);
    }
    void open(const char* path) {
        if (*path) WaveFile::open(path);
    }
    void close() {
        if (isOpen()) WaveFile::close();
    }
};

}  // namespace

using TraceFile = Observer;
#define ROWFORGE_TRACE
#include "rtl_harness.cpp"

namespace {
Observer& observer(void* handle) { return *static_cast<Engine*>(handle)->trace; }
}  // namespace

// Waves are written from cycle `begin` to before `end`, counted since the engine was made.
EXPORT void rowforge_window(void* handle, uint64_t begin, uint64_t end) {
    observer(handle).begin = begin;
    observer(handle).end = end;
}

// Adds bits of a signal to those that are noted; 0 if no module instance whose path ends so has it,
// or it has no such bits. They must lie within eight bytes.
EXPORT int rowforge_probe(void* handle, const char* instance, const char* name, int low, int width) {
    const std::string wanted = std::string(".") + instance;
    for (const auto& pair : *static_cast<Engine*>(handle)->context.scopeNameMap()) {
        const std::string path = pair.first;
        if (path.size() < wanted.size() ||
            path.compare(path.size() - wanted.size(), wanted.size(), wanted) != 0)
            continue;
        const VerilatedVar* found = pair.second->varFind(name);
        if (found == nullptr) continue;
        const size_t first = size_t(low / 8), size = found->totalSize();
        if (low % 8 + width > 64 || (low + width + 7) / 8 > int(size)) return 0;
        const auto* data = static_cast<const uint8_t*>(found->datap());
        observer(handle).probes.push_back({data + first, size - first, low % 8, width});
        return 1;
    }
    return 0;
}

// Whether all probes are noted from now on.
EXPORT void rowforge_note(void* handle, int noting) { observer(handle).noting = noting != 0; }

// The values noted since the last call, row by row; they are valid until the clock runs again.
EXPORT uint64_t rowforge_notes(void* handle, const uint64_t** values) {
    static std::vector<uint64_t> taken;
    taken.clear();
    taken.swap(observer(handle).notes);
    *values = taken.data();
    return taken.size();
}
