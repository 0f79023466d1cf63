// hw/control/box_loader.py: LOAD, link words into a box of buffer words.
#pragma once
#include "box.h"

struct BoxLoader {
    BoxWalk walk;
    bool busy = false;
    bool have_low = false;  // the lower half of a wide buffer word
    int part = 0;           // of the link word
    int place = kKept;      // spread: the pixel's first element, after those kept of the word before

    // A write is offered, given that a link word is.
    bool write_valid(const Config& config, bool word) const {
        return busy && word && (!BoxWalk::wide(config) || spreads() || have_low);
    }
    // A link word is taken if it is offered; `step`: the write is granted.
    bool ready(const Config& config, bool step) const {
        if (spreads()) return step && taken(config);
        if (BoxWalk::wide(config)) return busy && (!have_low || step);
        return step && (walk.last() || part == BoxWalk::parts(config) - 1);
    }
    void clock(const Config& config, bool start, bool step, bool word_taken) {
        const bool end = step && walk.last();
        if (spreads()) {
            if (step) place = end ? kKept : place + channels() - (taken(config) ? elements(config) : 0);
        } else if (step && !BoxWalk::wide(config))
            part = end || part == BoxWalk::parts(config) - 1 ? 0 : part + 1;
        if (BoxWalk::wide(config) && !spreads() && word_taken) have_low = !have_low;
        if (step) walk.step();
        if (start) busy = true;
        else if (end) busy = false;
    }

  private:
    static constexpr int kKept = kMostSpread - 1;

    int channels() const { return int(walk.region.channels); }
    bool spreads() const { return channels() != 0; }
    static int elements(const Config& config) { return int(64 / config.array.data_width); }
    // The link word ends with this pixel: the next one does not lie in it whole.
    bool taken(const Config& config) const {
        return walk.last() || place + 2 * channels() > elements(config) + kKept;
    }
};
