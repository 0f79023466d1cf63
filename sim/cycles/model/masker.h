// hw/control/codes/masker.py: words of a box become their code. The model knows of each word how
// many of its elements have a place in the code.
#pragma once
#include <cstdint>

#include "queue.h"
#include "records.h"

struct Masker {
    static constexpr int kGroups = 2;
    enum State : int { kIdle, kZero, kMask, kWords, kEnd };
    int state = kIdle;
    int words = 0;     // that wait, all of them in `masks` or the group that comes in
    int position = 0;  // of the word that comes among those that share a mask
    // of complete groups: words, negative in the last one of the box
    ItemQueue<int8_t, kGroups> masks;
    int left = 0;        // words of the group that leaves
    bool final = false;  // it is the last one
    bool full = false;   // elements wait to be appended
    int size = 0, fill = 0;  // how many; and elements that do not fill a word yet
    const uint8_t* counts = nullptr;  // of the next word

    bool busy() const { return state != kIdle; }
    bool ready() const { return words != kGroups * kMaskWords && masks.ready(kGroups); }
    bool code_valid(const Config& config) const {
        return fills(config) || (state == kEnd && !full);
    }
    // `word`: one comes in, `last`: the box's last one; `code`: a word of the code is taken.
    void clock(const Config& config, bool start, bool word, bool last, bool code) {
        const bool moves = full && (!fills(config) || code), free = !full || moves;
        bool load = false, mask_taken = false, word_taken = false;
        int given = 0;
        switch (state) {
            case kIdle:
                if (start) state = kZero;
                break;
            case kZero:
                load = true;
                given = 1;
                state = kMask;
                break;
            case kMask:
                if (!(load = mask_taken = free && masks.valid())) break;
                given = kMaskWords * elements(config) / int(config.array.data_width);
                final = masks.front() < 0;
                left = final ? -masks.front() : masks.front();
                state = kWords;
                break;
            case kWords:
                if (!(load = word_taken = free)) break;
                given = *counts++;
                if (--left == 0) state = final ? kEnd : kMask;
                break;
            case kEnd:
                if (full || !code) break;
                if (fill == 0) state = kIdle;
                else fill = 0;
                break;
        }
        if (moves) fill = (fill + size) % elements(config);
        if (load) size = given;
        full = load || (full && !moves);
        const bool ends = word && (last || position == kMaskWords - 1);
        masks.clock(ends, ends ? int8_t(last ? -(position + 1) : position + 1) : int8_t(0), mask_taken);
        if (word) position = ends ? 0 : position + 1;
        words += int(word) - int(word_taken);
    }

  private:
    bool fills(const Config& config) const { return full && fill + size >= elements(config); }
    static int elements(const Config& config) { return int(64 / config.array.data_width); }
};
