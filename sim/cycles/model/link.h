// The host and the two streams: words in as fast as they are taken, results taken at once, each as
// beats of the link's width (hw/link/width.py). Words after a gate are offered when the host has
// the results that it needs to make them.
#pragma once
#include <cstdint>
#include <vector>

struct Gate {
    int64_t word;     // number of the first word after the gate
    int64_t results;  // result words that open it
};

struct Link {
    int parts = 1;  // beats of a word
    int64_t total = 0, taken = 0, results = 0;
    int in_part = 0, out_part = 0;
    size_t gate = 0;

    bool beat_valid(const std::vector<Gate>& gates) {
        while (gate < gates.size() && gates[gate].results <= results) ++gate;
        return taken < (gate < gates.size() ? gates[gate].word : total);
    }
    // A whole word is offered, given that a beat is; a whole result word is taken.
    bool word_valid(bool beat) const { return beat && in_part == parts - 1; }
    bool result_ready() const { return out_part == parts - 1; }
    void clock(bool beat, bool word_taken, bool result_valid, bool result_taken) {
        if (word_taken) {
            ++taken;
            in_part = 0;
        } else if (beat && in_part != parts - 1) {
            ++in_part;
        }
        if (result_taken) {
            ++results;
            out_part = 0;
        } else if (result_valid && out_part != parts - 1) {
            ++out_part;
        }
    }
};
