// hw/pe: a processing element without its data: walk, scratchpads and pipeline.
#pragma once
#include <cstdint>

#include "records.h"

// What a PE counts in a cycle in which it does not compute.
enum Waiting : uint8_t {
    kRunning = 1,
    kStarvedIfmap = 2,
    kStarvedFilter = 4,
    kBlockedIn = 8,
    kBlockedOut = 16
};

// Counts of PEs in each state, summed over the cycles, names as in hw/array/array.py; and of what
// they access, as if no activation were zero: operands, rows of filters, psum words.
struct Activity {
    int64_t running = 0, computed = 0, gated = 0, idle_slots = 0, starved_ifmap = 0, starved_filter = 0, blocked_in = 0,
            blocked_out = 0;
    int64_t ifmap_reads = 0, ifmap_writes = 0, filter_reads = 0, filter_writes = 0;
    int64_t hops = 0, fed = 0, collected = 0;

    Activity& operator+=(const Activity& b) { return plus(b, 1); }
    Activity operator-(const Activity& b) const { return Activity(*this).plus(b, -1); }
    // So many PEs that wait for the same.
    void wait(uint8_t waiting, int64_t pes = 1) {
        running += pes * (waiting & kRunning);
        starved_ifmap += pes * ((waiting & kStarvedIfmap) != 0);
        starved_filter += pes * ((waiting & kStarvedFilter) != 0);
        blocked_in += pes * ((waiting & kBlockedIn) != 0);
        blocked_out += pes * ((waiting & kBlockedOut) != 0);
    }

  private:
    Activity& plus(const Activity& b, int64_t times) {
        running += times * b.running;
        computed += times * b.computed;
        gated += times * b.gated;
        idle_slots += times * b.idle_slots;
        starved_ifmap += times * b.starved_ifmap;
        starved_filter += times * b.starved_filter;
        blocked_in += times * b.blocked_in;
        blocked_out += times * b.blocked_out;
        ifmap_reads += times * b.ifmap_reads;
        ifmap_writes += times * b.ifmap_writes;
        filter_reads += times * b.filter_reads;
        filter_writes += times * b.filter_writes;
        hops += times * b.hops;
        fed += times * b.fed;
        collected += times * b.collected;
        return *this;
    }
};

// What an operation in the pipeline must know.
enum Operation : uint8_t {
    kValid = 1,
    kLast = 2,
    kHead = 4,
    kZero = 8,
    kTail = 16,
    kGated = 32,  // for a zero, where that is known
    kFirst = 64   // known likewise
};

struct Pe {
    // the pass under way
    uint16_t windows = 0, window = 0;
    uint16_t filter_rows = 0;  // of the filter scratchpad, in a window
    uint8_t steps = 0, taps = 0, advance = 0, diagonal = 0;  // diagonal: channels, 0 if it is not
    uint8_t step = 0, tap = 0;
    uint8_t place = 0;      // head, zero, tail
    bool release = false;   // filters leave with the pass
    uint8_t operation = 0;  // what the step shown puts into the pipeline
    bool running = false;
    uint8_t started = 0;
    uint8_t waiting = 0;  // what it counts in a cycle while it rests (resting.h); see `Waiting`
    // operations, the newest in the low byte; the one in the last stage accumulates
    uint32_t pipeline = 0;
    // FIFO of ifmap beats: for each the words beyond the first, four bits, the oldest lowest
    unsigned __int128 beats = 0;
    uint8_t beat_level = 0, beat_position = 0;
    // ifmap scratchpad
    uint8_t used = 0, ahead = 0;
    // filter scratchpad: halves that are complete, half that is filled, half that is read
    uint8_t complete = 0, filling = 0, reading = 0;
    // output FIFO: for each word whether it leaves the column, the oldest lowest
    uint32_t tails = 0;
    uint8_t out_level = 0;

    bool wants_filters() const { return !((complete >> filling) & 1); }
    bool chain_word() const { return out_level && !(tails & 1); }
    bool tail_word() const { return out_level && (tails & 1); }
    void show_step() {
        const bool last_round = diagonal ? tap + diagonal >= taps : tap + 1 == taps;
        operation = uint8_t(kValid | (last_round ? kLast : 0) | place);
    }
};

// What a cycle did to a PE's neighbours.
struct PeMoves {
    bool took_below, took_column, began, freed_half;
    bool advance;     // the pipeline moves
    bool still;       // no register has changed
    uint8_t waiting;  // see `Waiting`
};

// What all PEs of an array have in common.
struct PeLimits {
    int last_stage;  // of the pipeline, its first bit
    uint32_t stages;  // bits of the pipeline
    int ifmap_spad, psum_fifo;
    bool single;  // beats of one word
    bool rests;  // a cycle between passes
};

// One clock cycle of a PE that has nothing to do but the next step of an ifmap word; returns whether
// it is one, and changes nothing if not.
inline bool plain_step(Pe& pe, const PeLimits& limits, bool taken, Activity& activity) {
    const uint32_t operation = pe.pipeline >> limits.last_stage;
    const bool plain = pe.running && pe.ahead && !(operation & kLast) && pe.step + 1 < pe.steps &&
                       ((pe.complete >> pe.reading) & 1) &&
                       (!pe.beat_level || pe.used == limits.ifmap_spad);
    if (!plain) return false;
    ++activity.running;
    activity.computed += operation & kValid;
    pe.pipeline = (pe.pipeline << 8 | pe.operation) & limits.stages;
    ++pe.step;
    pe.tails >>= taken;
    pe.out_level = uint8_t(pe.out_level - taken);
    return true;
}

// The last stage of the pipeline; returns whether it puts a word into the output FIFO.
inline bool accumulate(Pe& pe, const PeLimits& limits, bool below, bool column,
                       PeMoves& moves, Activity& activity) {
    bool put = false;
    moves.advance = true;
    const uint32_t operation = pe.pipeline >> limits.last_stage;
    if ((operation & (kValid | kLast)) == (kValid | kLast)) {
        const bool head = operation & kHead, zero = operation & kZero;
        const bool have = head ? (zero || column) : below;
        put = moves.advance = have && pe.out_level != limits.psum_fifo;
        moves.took_below = put && !head;
        moves.took_column = put && head && !zero;
        moves.waiting = uint8_t(!have * kBlockedIn | (have && !put) * kBlockedOut);
        if (put) pe.tails |= uint32_t((operation & kTail) != 0) << pe.out_level;
    }
    moves.waiting |= uint8_t(pe.running * kRunning);
    activity.computed += (operation & kValid) && moves.advance;
    activity.gated += (operation & kGated) && moves.advance;
    activity.idle_slots += (operation & (kGated | kLast | kFirst)) == kGated;
    return put;
}

// One clock cycle. `below`: a chain word is offered from below; `column`: a psum from the buffer is;
// `taken`: the word at the output leaves; `pending`: a pass is waiting to begin, `begin` begins it.
template <class Begin>
PeMoves clock_pe(Pe& pe, const PeLimits& limits, bool below, bool column, bool taken, bool pending,
                 Begin begin, Activity& activity) {
    PeMoves moves{};
    const bool put = accumulate(pe, limits, below, column, moves, activity);
    const bool advance = moves.advance;
    const bool loaded = (pe.complete >> pe.reading) & 1;
    const bool issue = pe.running && pe.ahead && loaded && advance;
    if (pe.running && !issue && advance)
        moves.waiting |= pe.ahead ? kStarvedFilter : kStarvedIfmap;
    activity.wait(moves.waiting);

    bool freed = false, rewind = false, word_done = false, pass_done = false;
    moves.still = !issue && !taken && (!advance || !pe.pipeline);
    if (advance) pe.pipeline = pe.pipeline << 8 & limits.stages;
    if (issue) {
        pe.pipeline |= pe.operation;
        word_done = pe.step + 1 == pe.steps;
        const bool last_window = pe.window + 1 == pe.windows;
        freed = word_done && (last_window || pe.tap < pe.advance);
        ++pe.step;
        if (word_done) {
            rewind = pe.tap + 1 == pe.taps;
            pass_done = rewind && last_window;
            pe.step = 0;
            ++pe.tap;
        }
        if (rewind) {
            activity.ifmap_reads += pe.taps;
            activity.filter_reads += pe.filter_rows;
            pe.tap = 0;
            pe.window = last_window ? 0 : uint16_t(pe.window + 1);
        }
        if (word_done) pe.show_step();
        if (pass_done && pe.release) {
            pe.complete &= uint8_t(~(1 << pe.reading));
            moves.freed_half = true;
            pe.reading ^= 1;
        }
    }

    const bool enter = pe.beat_level && pe.used != limits.ifmap_spad;
    moves.still = moves.still && !enter;
    pe.used = uint8_t(pe.used - freed + enter);
    if (rewind) pe.ahead = pe.used;
    else pe.ahead = uint8_t(pe.ahead + enter - word_done);
    if (enter) {
        if (limits.single || pe.beat_position == (pe.beats & 15)) {
            pe.beat_position = 0;
            pe.beats >>= 4;
            --pe.beat_level;
        } else {
            ++pe.beat_position;
        }
    }

    if (pending && (!pe.running || (pass_done && !limits.rests))) {
        moves.began = true;
        moves.still = false;
        pe.started = (pe.started + 1) & 3;
        begin();
        pe.show_step();
    } else if (pass_done) {
        pe.running = false;
    }
    if (taken) pe.tails >>= 1;
    pe.out_level = uint8_t(pe.out_level + put - taken);
    return moves;
}
