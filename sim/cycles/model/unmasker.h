// hw/control/codes/{payloads,unmasker}.py: the code of words that LOAD or CONV bring becomes the words.
// The model knows of each word how many of its elements have a place in the code, and of the code how
// long it is.
#pragma once
#include <cstdint>

#include "records.h"

struct Unmasker {
    enum State : int { kIdle, kZero, kMask, kWords, kRest };
    int state = kIdle;
    int held = 0;      // elements in the window
    int position = 0;  // of the next word among those that share a mask
    bool sealed = false;
    bool filters = false;  // they are those of a CONV
    int64_t left = 0;      // words of filters that are still to come
    const uint8_t* counts = nullptr;  // of the next word, then of all that follow in the program

    bool busy() const { return state != kIdle; }
    // A word of the code is taken if it is offered; `last`: it is the check word.
    bool ready(const Config& config, bool last) const {
        return !sealed && (last || held <= elements(config));
    }
    bool word_valid(bool filling) const { return state == kWords && filling && held >= *counts; }
    // More words are wanted; `filling`: by the box loader.
    bool wanted(bool filling) const { return filters ? left != 0 : filling; }
    // A CONV begins with a code of so many words.
    void begin(int64_t decoded) {
        filters = true;
        left = decoded;
        state = kZero;
    }
    void clock(const Config& config, bool start, bool filling, bool code, bool last, bool word_taken) {
        const int here = state, before = held;
        switch (here) {
            case kIdle:
                if (!start) return;
                filters = false;
                state = kZero;
                return;  // words of a raw payload pass by
            case kZero:
                if (before < 1) break;
                held -= 1;
                state = kMask;
                break;
            case kMask:
                if (!filling) {
                    state = kRest;
                } else if (before >= mask_elements(config)) {
                    held -= mask_elements(config);
                    position = 0;
                    state = kWords;
                }
                break;
            case kWords:
                if (!filling) state = kRest;
                if (!word_taken) break;
                held -= *counts++;
                left -= filters;
                if (++position == kMaskWords) state = kMask;
                break;
            case kRest:
                if (!sealed) break;
                state = kIdle;
                held = 0;
                sealed = false;
                return;
        }
        if (code && last) sealed = true;
        else if (code) held += elements(config);
    }

  private:
    static int elements(const Config& config) { return int(64 / config.array.data_width); }
    static int mask_elements(const Config& config) {
        return kMaskWords * elements(config) / int(config.array.data_width);
    }
};
