// hw/replay/gather.py: boxes of tensors in the memory as words of the command stream.
#pragma once
#include <cstdint>

#include "bursts.h"
#include "queue.h"

// A GATHER record; `place` is the number of its first unit.
struct GatherJob {
    int64_t place = 0, run = 0, rows = 0, pitch = 0;
    bool last = false;
};

struct PackedRow {
    bool upper = false, last = false;
    int64_t run = 0;
};

struct HalfPacker {
    int64_t left = 0;
    bool upper = false, last = false;
    bool held = false;  // a half waits for the next one

    bool tail() const { return held && left == 0 && last; }
    bool row_ready() const { return left == 0 && !tail(); }
    bool gives() const { return held || pair(); }
    bool idle() const { return left == 0 && !held; }
    bool valid(bool word) const { return tail() || (word && left != 0 && gives()); }
    // The word on offer is taken, given whether a packed one could leave.
    bool takes(bool word, bool output_ready) const {
        return word && left != 0 && (output_ready || !gives());
    }
    void clock(bool taken, bool output_ready, bool row, const PackedRow& next) {
        if (taken) {
            const bool pair = this->pair();
            left -= pair ? 2 : 1;
            upper = false;
            held = held == pair;
        } else if (tail()) {
            if (output_ready) held = false;
        } else if (row) {
            left = next.run;
            upper = next.upper;
            last = next.last;
        }
    }

  private:
    bool pair() const { return !upper && left > 1; }
};

struct Gatherer {
    static constexpr int kRowsAhead = 4;
    bool halves = false;  // units are half a word
    BurstReader reader;
    HalfPacker packer;
    ItemQueue<PackedRow, kRowsAhead> rows;
    GatherJob job;
    int64_t left = 0;  // rows to be asked for

    bool job_ready() const { return left == 0; }
    bool idle() const {
        return left == 0 && reader.idle() && (!halves || (packer.idle() && !rows.valid()));
    }
    bool valid() const { return halves ? packer.valid(reader.valid()) : reader.valid(); }

    // `accepted`, `arrives`: as of the reader; `ready`: a word could leave; `begin`: `next` is taken.
    void clock(bool accepted, bool arrives, bool ready, bool begin, const GatherJob& next) {
        const bool asks = left != 0 && (!halves || rows.ready(kRowsAhead)) && reader.job_ready();
        const int shift = int(halves);
        const int64_t first = job.place >> shift, end = (job.place + job.run - 1) >> shift;
        if (!halves) {
            reader.clock(accepted, arrives, ready && reader.valid(), asks, row(first, end));
        } else {
            const bool taken = packer.takes(reader.valid(), ready);
            const bool begins = packer.row_ready() && rows.valid();
            const PackedRow packed = rows.valid() ? rows.front() : PackedRow{};
            const PackedRow asked = {bool(job.place & 1), job.last && left == 1, job.run};
            packer.clock(taken, ready, begins, packed);
            rows.clock(asks, asked, begins);
            reader.clock(accepted, arrives, taken, asks, row(first, end));
        }
        if (begin) {
            job = next;
            left = next.rows;
        } else if (asks) {
            --left;
            job.place += job.pitch;
        }
    }

  private:
    static WordRun row(int64_t first, int64_t last) { return {uint64_t(first), last - first + 1}; }
};
