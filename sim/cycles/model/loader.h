// hw/sequencer/loader.py: copies a pattern into a pass table word by word.
#pragma once

struct PatternLoader {
    int held[2] = {-1, -1};  // number of the pattern that each table holds, -1 for none
    int position = 0;
    bool arriving = false;  // `word.en`
    int arriving_index = 0;

    bool current(int bank, int pattern) const { return held[bank] == pattern; }
    void clock(bool copy, int bank, int pattern, int words) {
        const bool reading = copy && !current(bank, pattern) && position != words;
        const bool complete = arriving && arriving_index == words - 1;
        arriving = reading;
        arriving_index = reading ? position : 0;
        if (reading) ++position;
        if (complete) {
            position = 0;
            held[bank] = pattern;
        }
    }
    void forget() { held[0] = held[1] = -1; }
};
