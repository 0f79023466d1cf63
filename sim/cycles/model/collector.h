// hw/array/collector.py: the psum output of a column, words of the segments' tails into beats.
#pragma once
#include <cstdint>

#include "queue.h"
#include "tables.h"

struct ColumnCollector {
    // What a cycle did: took a PE's word; left all registers as they were.
    struct Moves {
        bool taken, still;
    };

    uint8_t done = 0;
    uint8_t search = 0, level = 0, step = 0;
    uint16_t sent = 0, window = 0;
    bool flush = false;
    bool rests = false;  // with `control.pipeline`, in the cycle after a pass
    Queue queue;

    // The row from which a word is wanted, -1 for none.
    int row(int issued, const PassTable& table, int column) const {
        if (rests || issued == done || !((table.columns->active >> column) & 1)) return -1;
        const uint64_t rest = uint64_t(table.rows->tails) >> search << search;
        return rest ? __builtin_ctzll(rest) : 0;
    }
    // One cycle; `row` as above, `arrived`: its word is there, `leave`: the engine takes a beat.
    Moves clock(int issued, const PassTable& table, int column, int row, bool arrived, bool leave,
               int lanes, int width, int depth, bool pipeline) {
        const uint8_t was_done = done;
        const bool rested = rests, flushed = flush;
        if (issued != done && !((table.columns->active >> column) & 1)) done = (done + 1) & 3;
        const bool room = queue.ready(depth);
        bool put = false, taken = false, segment_done = false;
        if (flush) {
            put = segment_done = room;
            if (room) {
                flush = false;
                level = 0;
            }
        } else if (arrived) {
            const Constants& constants = table.constants;
            const bool last_step = step + 1 == constants.steps;
            const int count = constants.odd && last_step ? 1 : lanes;
            const int total = level + count;
            const bool last = sent + count >= constants.psums;
            const bool over = total > width;
            const bool push = last || total >= width;
            taken = !push || room;
            put = push && room;
            if (taken) {
                step = uint8_t(last_step ? 0 : step + 1);
                sent = uint16_t(sent + count);
                level = uint8_t(push ? over : total);
                if (push) flush = over && last;
                segment_done = last && !over;
            }
        }
        if (segment_done) {
            sent = 0;
            step = 0;
            search = uint8_t(row + 1);
            if (!(uint64_t(table.rows->tails) >> search)) {
                search = 0;
                if (++window == table.constants.windows) {
                    window = 0;
                    done = (done + 1) & 3;
                }
            }
        }
        rests = pipeline && done != was_done;
        queue.clock(put, leave);
        const bool still = !taken && !put && !leave && !flushed && !rested && done == was_done;
        return {taken, still};
    }
};
