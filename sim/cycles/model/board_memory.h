// hw/top/memory.py: the kinds of memory that a core may have, as one. A guard adds no cycle.
#pragma once
#include <cstdint>

#include "axi.h"
#include "memory.h"

struct BoardMemory {
    enum Kind : int64_t { kNone, kRam, kSdram, kAxi };
    int64_t kind = kNone;
    RamModel ram;
    SdramModel sdram;
    AxiModel axi;

    // The kind, and its parameters in the order of their members (sim/memory/cases.py).
    explicit BoardMemory(const int64_t* values) : kind(values[0]) {
        const auto value = [values](int place) { return int(values[place + 1]); };
        if (kind == kRam) ram.timing = {value(0), value(1)};
        if (kind == kSdram)
            sdram.timing = {value(0), value(1), value(2), value(3), value(4),  value(5), value(6),
                            value(7), value(8), value(9), value(10), value(11), value(12)};
        if (kind == kAxi) axi = AxiModel(value(0));
    }

    bool request_ready() const {
        return each([](const auto& memory) { return memory.request_ready(); });
    }
    bool write_ready() const {
        return each([](const auto& memory) { return memory.write_ready(); });
    }
    bool read_valid() const {
        return each([](const auto& memory) { return memory.read_valid(); });
    }
    // It owes no answer.
    bool settled() const { return kind != kAxi || axi.settled(); }

    void clock(const MemoryAsk& ask) {
        switch (kind) {
            case kRam: ram.clock(ask); break;
            case kSdram: sdram.clock(ask); break;
            case kAxi: axi.clock(ask); break;
        }
    }

  private:
    template <class Question>
    bool each(Question question) const {
        if (kind == kRam) return question(ram);
        return kind == kSdram ? question(sdram) : question(axi);
    }
};
