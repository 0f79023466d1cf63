// hw/control/box_loader.py: LOAD, link words into a box of buffer words.
#pragma once
#include "box.h"

struct BoxLoader {
    BoxWalk walk;
    bool busy = false;
    bool have_low = false;  // the lower half of a wide buffer word
    int part = 0;           // of the link word

    // A write is offered, given that a link word is.
    bool write_valid(const Config& config, bool word) const {
        return busy && word && (!BoxWalk::wide(config) || have_low);
    }
    // A link word is taken if it is offered; `step`: the write is granted.
    bool ready(const Config& config, bool step) const {
        if (BoxWalk::wide(config)) return busy && (!have_low || step);
        return step && (walk.last() || part == BoxWalk::parts(config) - 1);
    }
    void clock(const Config& config, bool start, bool step, bool word_taken) {
        const bool end = step && walk.last();
        if (step && !BoxWalk::wide(config))
            part = end || part == BoxWalk::parts(config) - 1 ? 0 : part + 1;
        if (BoxWalk::wide(config) && word_taken) have_low = !have_low;
        if (step) walk.step();
        if (start) busy = true;
        else if (end) busy = false;
    }
};
