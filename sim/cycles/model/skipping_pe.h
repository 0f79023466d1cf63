// hw/pe/skipping.py: a PE that steps over zeros, with a bit for every ifmap word that comes.
#pragma once
#include <array>
#include <cstdint>

#include "pe.h"

// What it holds in the place of an ifmap scratchpad: numbers of the words that are not zero, and
// what chooses the steps. Positions and numbers only grow.
struct Skips {
    static constexpr int kBeats = 32, kEntries = 256;

    std::array<uint8_t, kBeats> words{};  // of the beats in the FIFO, a bit each, 1: not zero
    uint32_t beats_taken = 0;
    std::array<uint32_t, kEntries> numbers{};
    uint32_t write = 0, next = 0, oldest = 0;
    uint32_t count = 0, base = 0, offset = 0;
    bool valid = false;
    bool first = true, fresh = true, decided = false;
    uint16_t tap = 0;

    uint8_t& arriving(int level) { return words[(beats_taken + level) % kBeats]; }
    uint32_t number(uint32_t position) const { return numbers[position % kEntries]; }
};

// What the steps of a cycle depend on, besides the PE's own registers.
struct WordAtHand {
    bool used, available, last;
    uint32_t here;
};

inline WordAtHand word_at_hand(const Pe& pe, const Skips& s) {
    const uint32_t taps = pe.taps, lead = s.count - s.base;
    if (pe.diagonal) {
        const bool last = s.tap + pe.diagonal >= taps;
        return {s.valid && s.offset == s.tap, lead > s.tap, last, s.tap};
    }
    const bool inside = s.valid && s.offset < taps;
    const uint32_t known = s.next != s.write ? s.number(s.next) - s.base : lead;
    const bool last = s.fresh ? !inside || known >= taps : s.decided;
    return {inside, inside || lead >= taps, last, s.offset};
}

// One clock cycle; see `clock_pe`. `most`: words that can be counted ahead of the window; `groups`:
// of weights in a row of the filter scratchpad.
template <class Begin>
PeMoves clock_skipping_pe(Pe& pe, Skips& s, const PeLimits& limits, uint32_t most, int groups,
                          bool below, bool column, bool taken, bool pending, Begin begin,
                          Activity& activity) {
    PeMoves moves{};
    const bool put = accumulate(pe, limits, below, column, moves, activity);
    const bool advance = moves.advance;
    const bool loaded = (pe.complete >> pe.reading) & 1;
    const WordAtHand at = word_at_hand(pe, s);
    const bool issue = pe.running && at.available && loaded && advance;
    if (pe.running && !issue && advance)
        moves.waiting |= at.available ? kStarvedFilter : kStarvedIfmap;
    activity.wait(moves.waiting);

    // the words that come: what is there to take them
    const uint32_t lead = s.count - s.base, came = s.count, stored_to = s.write;
    bool taking = false, storing = false;
    if (pe.beat_level) {
        const bool zero = !((s.arriving(0) >> pe.beat_position) & 1);
        taking = lead != most && (zero || s.write - s.oldest != uint32_t(limits.ifmap_spad));
        storing = taking && !zero;
    }

    bool pass_done = false, word_done = false, window_done = false, free = false;
    uint32_t moved = 0;
    if (advance) pe.pipeline = pe.pipeline << 8 & limits.stages;
    if (issue) {
        pe.pipeline |= kValid | (at.last ? kLast : 0) | (at.used ? 0 : kGated) |
                       (s.first ? kFirst : 0) | pe.place;
        word_done = pe.step + 1 == pe.steps;
        const bool round_done =
            word_done && (!pe.diagonal || (s.tap + 1) % pe.diagonal == 0);
        window_done = at.last && round_done;
        const bool last_window = pe.window + 1 == pe.windows;
        free = word_done && at.used && (last_window || at.here < pe.advance);
        moved = last_window ? pe.taps : pe.advance;
        pass_done = window_done && last_window;
        if (s.fresh) s.decided = at.last;
        s.fresh = round_done;
        if (round_done) s.first = at.last;
        ++pe.step;
        if (word_done) {
            if (at.used) {
                const uint32_t from = at.here * pe.steps, to = from + pe.steps - 1;
                activity.filter_reads += to / groups - from / groups + 1;
                ++activity.ifmap_reads;
            }
            pe.step = 0;
            ++s.tap;
        }
        if (window_done) {
            s.tap = 0;
            pe.window = last_window ? 0 : uint16_t(pe.window + 1);
        }
        if (pass_done && pe.release) {
            pe.complete &= uint8_t(~(1 << pe.reading));
            moves.freed_half = true;
            pe.reading ^= 1;
        }
    }

    // the ring
    s.oldest += free;
    if (window_done) s.base += moved;
    if ((word_done && (at.used || window_done)) || !s.valid) {
        const uint32_t place = window_done ? s.oldest : s.next;
        const bool stored = place != stored_to;
        s.valid = stored || storing;
        s.offset = (stored ? s.number(place) : came) - s.base;
        s.next = s.valid ? place + 1 : place;
    }
    if (storing) s.numbers[s.write++ % Skips::kEntries] = came;
    s.count += taking;
    if (taking) {
        if (limits.single || pe.beat_position == (pe.beats & 15)) {
            pe.beat_position = 0;
            pe.beats >>= 4;
            --pe.beat_level;
            ++s.beats_taken;
        } else {
            ++pe.beat_position;
        }
    }

    if (pending && (!pe.running || (pass_done && !limits.rests))) {
        moves.began = true;
        pe.started = (pe.started + 1) & 3;
        begin();
    } else if (pass_done) {
        pe.running = false;
    }
    if (taken) pe.tails >>= 1;
    pe.out_level = uint8_t(pe.out_level + put - taken);
    return moves;
}
