// hw/base/deep_queue.py: a FIFO in a RAM, followed by three registers that hide the latency.
#pragma once
#include "queue.h"

struct DeepQueue {
    static constexpr int kAhead = 3;
    int level = 0;
    int credit = kAhead;
    bool pending = false;
    Queue queue;

    bool ready(int depth) const { return level != depth; }
    bool valid() const { return queue.valid(); }
    void clock(bool put, bool take) {
        const bool fetch = level != 0 && credit != 0;
        queue.clock(pending, take);
        level += int(put) - int(fetch);
        pending = fetch;
        credit += int(take) - int(fetch);
    }
};
