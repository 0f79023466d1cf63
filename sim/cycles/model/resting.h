// Which PEs and columns have something to do. A PE whose registers a cycle has left as they were
// does the same in every further one until something reaches it: it rests, and is only counted.
#pragma once
#include <cstdint>
#include <vector>

#include "pe.h"

struct Resting {
    std::vector<uint32_t> awake;  // of each column, PEs that have something to do
    uint32_t columns = 0;         // columns in which a PE, the feeder or the collector has
    // of each column, the row whose word is all that its collector waits for, -1 for none of them;
    // kNoTail: it has more to do
    std::vector<int8_t> tails;
    static constexpr int8_t kNoTail = -2;
    Activity cycle;             // what all resting PEs count in a cycle
    int shown = 0, issued = 0;  // passes of the cycle before

    void reset(int rows, int cols) {
        awake.assign(cols, everyone(rows));
        tails.resize(cols);
        wake_columns();
    }
    // A pass has come.
    void wake_columns() {
        columns = everyone(int(tails.size()));
        for (int8_t& tail : tails) tail = kNoTail;
    }
    static uint32_t everyone(int count) { return count == 32 ? ~0u : (1u << count) - 1; }

    // What reaches it from outside of its column.
    void wake(const Pe& pe, int row, int col) {
        columns |= 1u << col;
        if ((awake[col] >> row) & 1) return;
        awake[col] |= 1u << row;
        cycle.wait(pe.waiting, -1);
    }
};
