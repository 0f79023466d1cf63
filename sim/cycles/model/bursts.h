// hw/replay/bursts.py: runs of consecutive memory words as streams.
#pragma once
#include <algorithm>
#include <cstdint>

#include "deep_queue.h"
#include "memory.h"

constexpr int kMostBeats = 64;  // of a burst

// Consecutive words.
struct WordRun {
    uint64_t address = 0;
    int64_t words = 0;
};

struct BurstReader {
    int depth = 2 * kMostBeats;
    DeepQueue queue;
    uint64_t address = 0;
    int64_t left = 0;
    int room = depth;  // places that no burst is promised
    bool asking = false;

    explicit BurstReader(int places = 2 * kMostBeats) : depth(places) {}

    bool job_ready() const { return left == 0; }
    bool idle() const { return !asking && left == 0 && room == depth; }
    bool valid() const { return queue.valid(); }
    MemoryAsk ask() const { return {asking, address, beats() - 1, false, false}; }

    // `accepted`: the burst that is asked for; `arrives`: a word; `take`: one leaves; `job`: a new run.
    void clock(bool accepted, bool arrives, bool take, bool job, const WordRun& run) {
        const int beats = this->beats();
        const bool ask = !asking && left != 0 && room >= beats;
        room += int(take) - (ask ? beats : 0);
        queue.clock(arrives, take);
        if (asking && accepted) {
            asking = false;
            address += uint64_t(beats);
            left -= beats;
        }
        if (ask) asking = true;
        if (job) {
            address = run.address;
            left = run.words;
        }
    }

  private:
    int beats() const { return int(std::min<int64_t>(left, std::min(kMostBeats, depth))); }
};

struct BurstWriter {
    static constexpr int kJobs = 2;
    int depth = 2 * kMostBeats;
    DeepQueue queue;
    ItemQueue<WordRun, kJobs> jobs;
    uint64_t address = 0;
    int64_t left = 0;
    int held = 0;  // words that no burst is asked for
    int owed = 0;  // words of the burst that the memory has not taken
    bool asking = false;

    explicit BurstWriter(int places = 2 * kMostBeats) : depth(places) {}

    bool job_ready() const { return jobs.ready(kJobs); }
    bool ready() const { return queue.ready(depth); }
    bool idle() const { return quiet() && left == 0 && !jobs.valid() && held == 0; }
    MemoryAsk ask() const {
        return {asking, address, beats() - 1, true, owed != 0 && queue.valid()};
    }

    // `accepted`: the burst that is asked for; `wrote`: the memory takes the word on offer; `put`: a
    // word comes; `job`: so does where some go.
    void clock(bool accepted, bool wrote, bool put, bool job, const WordRun& run) {
        const int beats = this->beats();
        const bool ask = quiet() && left != 0 && held >= beats;
        const bool next = left == 0 && jobs.valid();
        const WordRun begins = next ? jobs.front() : WordRun{};
        held += int(put) - (ask ? beats : 0);
        owed += (ask ? beats : 0) - int(wrote);
        queue.clock(put, wrote);
        jobs.clock(job, run, next);
        if (asking && accepted) {
            asking = false;
            address += uint64_t(beats);
            left -= beats;
        }
        if (ask) asking = true;
        if (next) {
            address = begins.address;
            left = begins.words;
        }
    }

  private:
    bool quiet() const { return !asking && owed == 0; }
    int beats() const { return int(std::min<int64_t>(left, std::min(kMostBeats, depth))); }
};
