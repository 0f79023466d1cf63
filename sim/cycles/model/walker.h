// hw/sequencer/walker.py: steps through the passes of a CONV command.
#pragma once
#include <array>

#include "records.h"

struct NestWalker {
    enum State : int { kIdle, kOpen, kShow, kStep };
    int state = kIdle;
    int loop = 0;
    bool opening = false;
    Constants constants;
    Bases bases;
    std::array<Loop, kLoops> loops;
    std::array<int64_t, kLoops> index{};

    bool idle() const { return state == kIdle; }
    bool ready() const { return state == kShow; }

    void load(const uint64_t* words) {
        const Start start = Start::unpack(words);
        bases = Bases::unpack(words);
        if (!start.constants) return;
        words += Start::kWords;
        constants = Constants::unpack(words);
        words += Constants::kWords;
        for (int i = 0; i < kLoops; ++i, words += Loop::kWords) {
            Loop& one = loops[kLoops - 1 - i];
            one = i < start.loops ? Loop::unpack(words) : Loop{};
            if (i >= start.loops) one.count = 1;
        }
    }
    bool at_first(int i) const { return index[i] == 0; }
    bool at_last(int i) const { return index[i] + 1 == loops[i].count; }
    bool accumulates(int i) const { return (constants.accumulate >> i) & 1; }
    bool first() const {
        for (int i = 0; i < kLoops; ++i)
            if (accumulates(i) && !at_first(i)) return false;
        return !constants.after;
    }
    bool last() const {
        for (int i = 0; i < kLoops; ++i)
            if (accumulates(i) && !at_last(i)) return false;
        return !constants.before;
    }

    bool holds(int i) const { return (constants.held >> i) & 1; }
    bool fresh() const {
        for (int i = 0; i < kLoops; ++i)
            if (holds(i) && !at_first(i)) return false;
        return !constants.reuse;
    }
    bool release() const {
        for (int i = 0; i < kLoops; ++i)
            if (holds(i) && !at_last(i)) return false;
        return !constants.keep;
    }

    // Goes on to the next pass at once; returns the cycles that this takes, 0 if there is none.
    int skip() {
        int i = kLoops - 1;
        while (i >= 0 && at_last(i)) index[i--] = 0;
        if (i < 0) return 0;
        ++index[i];
        add(bases, loops[i]);
        return kLoops - i;
    }

    // The pass is the command's last one.
    bool closing() const {
        for (int i = 0; i < kLoops; ++i)
            if (!at_last(i)) return false;
        return true;
    }
    void clock(bool start, bool next) {
        switch (state) {
            case kIdle:
                if (start) {
                    loop = kLoops - 1;
                    opening = true;
                    state = kOpen;
                }
                break;
            case kOpen:
                index[loop] = 0;
                state = loop == 0 ? kShow : kOpen;
                if (loop) --loop;
                break;
            case kShow:
                if (next) {
                    loop = kLoops - 1;
                    opening = false;
                    state = kStep;
                }
                break;
            case kStep:
                if (at_last(loop)) {
                    index[loop] = 0;
                    if (loop == 0) state = kIdle;
                    else --loop;
                } else {
                    ++index[loop];
                    add(bases, loops[loop]);
                    state = kShow;
                }
                break;
        }
    }
};
