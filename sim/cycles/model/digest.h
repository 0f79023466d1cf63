// A 128-bit hash of numbers; two sequences that differ have the same one never in practice.
#pragma once
#include <cstdint>
#include <functional>

struct Digest {
    uint64_t low = 0x9E3779B97F4A7C15u, high = 0xD1B54A32D192ED03u;

    void add(uint64_t value) {
        low = mixed((low ^ value) * 0xBF58476D1CE4E5B9u);
        high = mixed((high + value) * 0x94D049BB133111EBu) ^ low;
    }
    template <class... Values>
    void add(uint64_t first, Values... rest) {
        add(first);
        add(uint64_t(rest)...);
    }
    bool operator==(const Digest& other) const { return low == other.low && high == other.high; }

    struct Hash {
        size_t operator()(const Digest& digest) const { return size_t(digest.low); }
    };

  private:
    static uint64_t mixed(uint64_t value) { return value ^ (value >> 29) ^ (value << 23); }
};
