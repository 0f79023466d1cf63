// hw/replay/router.py: where the core's result blocks go while an image is replayed.
#pragma once
#include <cstdint>

#include "accelerator.h"
#include "image_walker.h"

struct ResultRouter {
    enum State : int { kHeader, kLeaves, kStays, kStatus };
    using Heading = Accelerator::Heading;
    int state = kHeader;
    int64_t left = 0;

    bool idle() const { return state == kHeader; }
    // A word of a block is taken if one is on offer; `place` is where the next data block goes, if it
    // is known, `link` and `writer` say who could take a word, `jobs` whether a job could be.
    bool ready(Heading heading, const BlockPlace* place, bool link, bool writer, bool jobs) const {
        switch (state) {
            case kHeader:
                if (heading == Heading::kStatus) return true;
                if (heading == Heading::kCounters) return link;
                return heading == Heading::kData && place && (place->link ? link : jobs);
            case kLeaves: return link;
            case kStays: return writer;
            default: return true;
        }
    }
    // What becomes of a word that is taken.
    bool leaves(Heading heading, const BlockPlace* place) const {
        return state == kLeaves ||
               (state == kHeader && (heading == Heading::kCounters ||
                                     (heading == Heading::kData && place->link)));
    }
    bool places(Heading heading) const { return state == kHeader && heading == Heading::kData; }
    bool stays() const { return state == kStays; }
    bool block_ends() const { return (state == kLeaves || state == kStays) && left == 1; }

    // A word was taken; `words` of the block that it begins, if it does.
    void clock(Heading heading, bool leaves, int64_t words) {
        switch (state) {
            case kHeader:
                left = words;
                state = heading == Heading::kStatus ? kStatus : leaves ? kLeaves : kStays;
                break;
            case kLeaves:
            case kStays:
                if (--left == 0) state = kHeader;
                break;
            case kStatus:
                state = kHeader;
                break;
        }
    }
};
