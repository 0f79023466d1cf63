// hw/array/feeder.py: the psum input of a column, beats into words for the heads of its segments.
#pragma once
#include "queue.h"

struct FeederBeat {
    uint8_t row = 0, count = 0, steps = 0, odd = 0;
};

struct ColumnFeeder {
    ItemQueue<FeederBeat, 32> queue;
    uint8_t position = 0, step = 0;
    bool holding = false;

    // The row whose PE is offered a word, -1 for none.
    int row() const { return queue.valid() ? queue.front().row : -1; }
    void clock(bool put, const FeederBeat& beat, bool taken, int lanes) {
        bool final = false;
        if (taken) {
            const FeederBeat& here = queue.front();
            int next = position + 1;
            bool straddles = false;
            if (lanes > 1) {
                const int following = step + 1 == here.steps ? 0 : step + 1;
                if (!(holding || (here.odd && following == 0))) ++next;
                straddles = next + 1 == here.count && !(here.odd && following + 1 == here.steps);
                step = uint8_t(following);
                holding = straddles;
            }
            final = next >= here.count || straddles;
            position = uint8_t(final ? 0 : next);
        }
        queue.clock(put, beat, taken && final);
    }
};
