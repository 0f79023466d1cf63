// hw/base/queue.py: FIFOs with registered flags. What a cycle decides follows from the levels before
// its clock edge, so `take` and `put` may be called in any order once all decisions are made.
#pragma once
#include <cstdint>

// Only the number of items matters.
struct Queue {
    int level = 0;
    bool valid() const { return level != 0; }
    bool ready(int depth) const { return level != depth; }
    void clock(bool put, bool take) { level += int(put) - int(take); }
};

// The items matter too; the oldest is items[0]. Unused places hold T{} so that equal queues compare
// equal byte by byte.
template <class T, int Most>
struct ItemQueue {
    int level = 0;
    T items[Most] = {};
    bool valid() const { return level != 0; }
    bool ready(int depth) const { return level != depth; }
    const T& front() const { return items[0]; }
    void clock(bool put, const T& item, bool take) {
        if (take) {
            --level;
            for (int i = 0; i < level; ++i) items[i] = items[i + 1];
            items[level] = T{};
        }
        if (put) items[level++] = item;
    }
};
