// hw/top/memory.py: the kinds of memory that a core may have, as one. A guard adds no cycle.
#pragma once
#include <cstdint>

#include "axi.h"
#include "memory.h"

struct BoardMemory {
    int64_t kind = MemoryKind::NONE;
    RamModel ram;
    SdramModel sdram;
    AxiModel axi;

    // The kind, and its parameters in the order of their members (sim/memory/cases.py).
    explicit BoardMemory(const int64_t* values) : kind(values[0]) {
        if (kind == MemoryKind::RAM) ram.timing = RamTiming::of(values + 1);
        if (kind == MemoryKind::SDRAM) sdram.timing = SdramTiming::of(values + 1);
        if (kind == MemoryKind::AXI) axi = AxiModel(int(values[1]));
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
    bool settled() const { return kind != MemoryKind::AXI || axi.settled(); }

    void clock(const MemoryAsk& ask) {
        switch (kind) {
            case MemoryKind::RAM: ram.clock(ask); break;
            case MemoryKind::SDRAM: sdram.clock(ask); break;
            case MemoryKind::AXI: axi.clock(ask); break;
        }
    }

  private:
    template <class Question>
    bool each(Question question) const {
        if (kind == MemoryKind::RAM) return question(ram);
        return kind == MemoryKind::SDRAM ? question(sdram) : question(axi);
    }
};
