// hw/glb/ports.py, Reader: up to four reads under way; data is labels only.
#pragma once
#include "queue.h"

template <class Label>
struct Reader {
    static constexpr int kDepth = 4;
    int credit = kDepth;
    bool pending = false;
    Label label{};
    ItemQueue<Label, kDepth> queue;

    bool room() const { return credit != 0; }
    bool valid() const { return queue.valid(); }
    const Label& front() const { return queue.front(); }
    void clock(bool accepted, const Label& next, bool taken) {
        queue.clock(pending, label, taken);
        pending = accepted;
        label = accepted ? next : Label{};
        credit += int(taken) - int(accepted);
    }
};
