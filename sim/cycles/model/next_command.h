// hw/sequencer/next_command.py: the CONV command after the one that is walked.
#pragma once
#include <algorithm>
#include <cstdint>

struct NextCommand {
    bool kept = false;   // words of the descriptor that comes are in the memory
    bool waits = false;  // a whole one is
    bool copied = false;
    int words = 0;  // in the memory
    int place = 0;  // of the word that is copied next
    uint64_t descriptor[64] = {};

    bool ready() const { return !waits; }
    bool idle(bool walker_idle) const { return walker_idle && !waits; }
    // Whether the walker starts in this cycle, given that the decoder begins a CONV.
    bool starts(bool start) const { return (waits && copied) || (start && !kept); }

    // `word`: of a descriptor, taken; `start`: of it, which is `source` as a whole.
    void clock(bool walker_idle, bool word, bool start, const uint64_t* source) {
        const bool was_kept = kept;
        if (waits && walker_idle && !copied) {
            copied = ++place == words;
        } else if (copied) {
            waits = copied = false;
            words = place = 0;
        }
        if (word && (kept || !walker_idle)) {
            kept = true;
            ++words;
        }
        if (start && was_kept) {
            std::copy_n(source, 64, descriptor);
            kept = false;
            waits = true;
        }
    }
};
