// hw/glb/buffer.py: who gets which banks of the global buffer in a cycle.
#pragma once
#include <cstdint>

#include "records.h"

struct GlobalBuffer {
    // The set of banks that an activation word or a psum beat lies in.
    static uint64_t act_banks(const Config& config, int address) {
        const int64_t bank = address / config.buffer.depth;
        return bank < config.act_banks ? uint64_t{1} << bank : 0;
    }
    static uint64_t psum_banks(const Config& config, int address) {
        const int64_t k = config.banks_per_beat, group = (address >> 1) / config.buffer.depth;
        if (group >= config.psum_groups) return 0;
        const int64_t first = config.buffer.banks - 2 * k * (group + 1) + k * (address & 1);
        return (k == 64 ? ~uint64_t{0} : (uint64_t{1} << k) - 1) << first;
    }

    uint64_t asked = 0;  // banks that requests of this cycle want so far
    // In the order of priority: whether a request for these banks is granted. `valid`: it is made.
    bool grant(bool valid, uint64_t banks) {
        const bool granted = !(banks & asked);
        if (valid) asked |= banks;
        return granted;
    }
};
