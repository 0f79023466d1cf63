// hw/noc/multicast.py: a beat leaves when every PE that wants it is ready.
#pragma once
#include <cstdint>
#include <vector>

#include "queue.h"

// Delivers beats to sets of PEs: for each row a mask of columns. With a pipeline every row has a
// queue of two beats of its own.
template <class Payload>
struct MulticastNetwork {
    struct Waiting {
        uint32_t columns = 0;
        Payload payload{};
    };
    std::vector<ItemQueue<Waiting, 2>> rows;  // with a pipeline only

    // Whether the beat for `targets` leaves the Y bus; `busy`: PEs of each row that are not ready.
    // `wanted`: rows whose tag it carries.
    bool ready(uint32_t wanted, const uint32_t* targets, const uint32_t* busy) const {
        for (; wanted; wanted &= wanted - 1) {
            const int row = __builtin_ctz(wanted);
            if (rows.empty() ? (targets[row] & busy[row]) != 0 : !rows[row].ready(2)) return false;
        }
        return true;
    }
    // One cycle; calls deliver(row, columns, payload) for what reaches PEs. `sent`: the beat leaves
    // the Y bus.
    template <class Deliver>
    void clock(bool sent, uint32_t wanted, const uint32_t* targets, const Payload& payload,
               const uint32_t* busy, Deliver deliver) {
        if (rows.empty()) {
            if (!sent) return;
            for (; wanted; wanted &= wanted - 1) {
                const int row = __builtin_ctz(wanted);
                deliver(row, targets[row], payload);
            }
            return;
        }
        for (int row = 0; row < int(rows.size()); ++row) {
            auto& queue = rows[row];
            const bool leave = queue.valid() && !(queue.front().columns & busy[row]);
            const Waiting out = queue.front();
            const bool enter = sent && ((wanted >> row) & 1);
            queue.clock(enter, enter ? Waiting{targets[row], payload} : Waiting{}, leave);
            if (leave) deliver(row, out.columns, out.payload);
        }
    }
};
