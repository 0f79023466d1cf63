// The host and the two streams: words in as fast as they are taken, results taken at once, each as
// beats of the link's width (hw/link/width.py). Words after a gate are offered when the host has
// the results that it needs to make them.
//
// A paced link carries `rate` thousandths of a beat a cycle, both directions together: every cycle
// adds them to a credit of at most one beat, and beats cross while there is a whole one. Both directions
// may cross in one cycle, and a beat that is on offer stays so; the credit is negative then. The
// harness of the RTL (sim/rtl_harness.cpp) follows the same rule.
#pragma once
#include <algorithm>
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
    int rate = kBeat;  // added to the credit a cycle; kBeat and more: the link is not paced
    int credit = kBeat;
    bool offered = false;  // a beat has been on offer, and was not taken

    static constexpr int kBeat = 1000;  // what a beat costs

    bool open() const { return rate >= kBeat || credit >= kBeat; }
    bool beat_valid(const std::vector<Gate>& gates) {
        while (gate < gates.size() && gates[gate].results <= results) ++gate;
        return (open() || offered) && taken < (gate < gates.size() ? gates[gate].word : total);
    }
    // A whole word is offered, given that a beat is; a whole result word is taken.
    bool word_valid(bool beat) const { return beat && in_part == parts - 1; }
    bool result_ready() const { return open() && out_part == parts - 1; }
    void clock(bool beat, bool word_taken, bool result_valid, bool result_taken) {
        const bool part_taken = !word_taken && beat && in_part != parts - 1;
        const bool part_given = !result_taken && result_valid && open() && out_part != parts - 1;
        if (rate < kBeat) {
            offered = beat && !word_taken && !part_taken;
            credit -= kBeat * (int(word_taken || part_taken) + int(result_taken || part_given));
            credit = std::min(credit + rate, kBeat);
        }
        in_part = word_taken ? 0 : in_part + int(part_taken);
        out_part = result_taken ? 0 : out_part + int(part_given);
        taken += word_taken;
        results += result_taken;
    }
};
