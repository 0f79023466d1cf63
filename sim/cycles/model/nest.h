// hw/engines/nest.py: nested counters, outermost first.
#pragma once
#include <array>
#include <cstdint>

template <int N>
struct Nest {
    using Limits = std::array<int64_t, N>;
    std::array<int32_t, N> index{};

    int operator[](int level) const { return index[level]; }
    bool last(int level, const Limits& limits) const { return index[level] + 1 == limits[level]; }
    // This loop and all loops inside are at their last iteration.
    bool ends(int level, const Limits& limits) const {
        for (int i = level; i < N; ++i)
            if (!last(i, limits)) return false;
        return true;
    }
    // Goes to the next iteration; returns the outermost loop that steps or starts over.
    int step(const Limits& limits) {
        for (int i = N - 1;; --i) {
            if (!last(i, limits)) {
                ++index[i];
                return i;
            }
            index[i] = 0;
            if (i == 0) return 0;
        }
    }
};
