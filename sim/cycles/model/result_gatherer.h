// hw/mesh/gatherer.py: blocks of the clusters, in the order in which they were asked for.
#pragma once
#include <cstdint>
#include <deque>
#include <vector>

// A word that a cluster answers; `length`: of the block whose header it is, 0 for the block's words.
struct Answer {
    int64_t length = 0;
};

struct ResultGatherer {
    enum State : int { kIdle, kHeader, kWords, kFetch, kCopy };
    static constexpr int kExpected = 8;

    struct Expectation {
        const std::vector<int>* clusters = nullptr;  // who answers, by number; none: nobody is asked
        bool ends = false;                           // with a status block each
    };
    // What the gatherer does in a cycle.
    struct Actions {
        bool expected = false;              // takes what is expected
        int take = -1;                      // the cluster of which it takes a word
        bool result_valid = false;          // offers a word
        bool result = false;                // gives one
        bool fetched = false;               // has the header of the block that was wanted
        bool copied = false, last = false;  // gives a word of it
        bool status = false;                // has given the end of the program
    };

    int state = kIdle;
    std::deque<std::pair<std::vector<int>, bool>> waiting;
    std::vector<int> pending;  // who still answers, the next one last
    bool ends = false, drop = false;
    int chosen = 0;
    int64_t left = 0;

    bool idle() const { return waiting.empty() && pending.empty(); }

    // `front`: of a cluster the word that it offers, or null; `copied_ready`: of the
    // distributor; `result_ready`: the link takes a word.
    template <class Front>
    Actions offer(const Expectation& expect, bool copied_ready, bool result_ready,
                  Front front) const {
        Actions a;
        a.expected = expect.clusters && waiting.size() != kExpected;
        const bool offered = (state == kWords || state == kCopy) && front(chosen) != nullptr;
        bool taken = false;
        switch (state) {
            case kIdle:
                break;
            case kHeader: {
                const bool dropped = ends && pending.size() > 1;
                a.result_valid = !dropped;
                taken = result_ready || dropped;
                break;
            }
            case kWords:
                a.result_valid = offered && !drop && left != 0;
                taken = offered && (result_ready || drop) && left != 0;
                a.status = taken && ends && !drop;
                break;
            case kFetch:
                a.fetched = taken = true;
                break;
            case kCopy:
                taken = a.copied = offered && left != 0 && copied_ready;
                a.last = left == 1;
                break;
        }
        if (taken) a.take = chosen;
        a.result = a.result_valid && result_ready;
        return a;
    }

    // The clock edge after `a`.
    template <class Front>
    void clock(const Actions& a, const Expectation& expect, int wanted, Front front) {
        const bool waits = !waiting.empty();
        const bool taken = a.take >= 0;
        switch (state) {
            case kIdle:
                if (!pending.empty()) {
                    if (front(pending.back())) {
                        chosen = pending.back();
                        state = kHeader;
                    }
                } else if (waits) {
                    pending.assign(waiting.front().first.rbegin(), waiting.front().first.rend());
                    ends = waiting.front().second;
                    waiting.pop_front();
                } else if (wanted >= 0 && front(wanted)) {
                    chosen = wanted;
                    state = kFetch;
                }
                break;
            case kHeader:
                left = front(chosen)->length;
                drop = ends && pending.size() > 1;
                if (taken) state = kWords;
                break;
            case kWords:
                if (left == 0) {
                    pending.pop_back();
                    state = kIdle;
                } else if (taken) {
                    --left;
                }
                break;
            case kFetch:
                left = front(chosen)->length;
                state = kCopy;
                break;
            case kCopy:
                if (left == 0) state = kIdle;
                else if (taken) --left;
                break;
        }
        if (a.expected) waiting.emplace_back(*expect.clusters, expect.ends);
    }
};
