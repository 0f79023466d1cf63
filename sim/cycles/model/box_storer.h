// hw/control/box_storer.py: STORE, a box of buffer words becomes a data block.
#pragma once
#include "box.h"
#include "masker.h"
#include "reader.h"

struct BoxStorer {
    enum State : int { kIdle, kCount, kHeader, kWords, kCode };
    int state = kIdle;
    BoxWalk walk;
    bool asking = false;     // addresses are still to be asked for
    int64_t left = 0;        // words of the block
    int part = 0;            // of a link word that holds several buffer words
    bool high = false;       // upper half of a wide buffer word
    Reader<uint8_t> reader;  // label: 1 for the box's last word
    Masker encoder;          // with `link.coding` only
    int64_t length = 0;      // of the code
    bool coded = false;      // the block is a code
    const uint8_t* counts = nullptr;  // of the box's first word

    bool busy() const { return state != kIdle; }
    bool heading() const { return state == kHeader; }
    // Of a block whose header goes.
    int64_t block_words() const { return coded ? length : walk.region.words; }
    bool read_valid(const Config& config) const {
        return reader.asks(config.control.pipeline != 0, asking);
    }
    int read_address(const Config& config) const {
        return config.control.pipeline ? reader.requests.front().address : walk.address();
    }
    bool result_valid(const Config& config) const {
        return state == kHeader || (state == kWords && left != 0 && word_valid(config)) ||
               (state == kCode && encoder.code_valid(config));
    }
    // `granted`: the word that is asked for comes; `sent`: a word of the block goes.
    void clock(const Config& config, bool start, const Region& region, bool granted,
               bool sent) {
        const bool pipeline = config.control.pipeline != 0;
        const bool step = reader.takes(pipeline, asking, granted);
        const bool encodes = encoder.busy();
        const bool word_sent =
            encodes ? encoder.ready() && word_valid(config) : sent && state == kWords;
        const bool last_word = word_sent && reader.front() && (!BoxWalk::wide(config) || high);
        const bool code = encodes && encoder.code_valid(config) &&
                          (state == kCount || (state == kCode && sent));
        bool encode = start && region.coded;
        bool item_taken = false;
        if (reader.valid()) {
            if (BoxWalk::wide(config)) {
                item_taken = word_sent && high;
                if (word_sent) high = !high;
            } else {
                const bool ends = final(config);
                item_taken = ends ? word_sent : true;
                if (item_taken) part = ends ? 0 : part + 1;
            }
        }
        const bool end = step && walk.last();
        reader.clock(pipeline, step, {walk.address(), false, uint8_t(end)}, granted, item_taken);
        if (step) walk.step();
        if (end) asking = false;
        switch (state) {
            case kIdle:
                if (!start) break;
                walk.region = region;
                left = region.words;
                asking = true;
                coded = false;
                state = region.coded ? kCount : kHeader;
                length = 0;
                counts = encoder.counts;
                break;
            case kCount:
                length += code;
                if (encodes) break;
                encode = coded = length < walk.region.words;
                asking = true;
                if (coded) encoder.counts = counts;
                state = kHeader;
                break;
            case kHeader:
                if (sent) state = coded ? kCode : kWords;
                break;
            case kWords:
                if (left == 0) state = kIdle;
                else if (sent) --left;
                break;
            case kCode:
                if (!encodes) state = kIdle;
                break;
        }
        if (config.link.coding) encoder.clock(config, encode, encodes && word_sent, last_word, code);
    }

  private:
    // The buffer word on top of the queue completes a link word.
    bool final(const Config& config) const {
        return reader.front() || part == BoxWalk::parts(config) - 1;
    }
    bool word_valid(const Config& config) const {
        return reader.valid() && (BoxWalk::wide(config) || final(config));
    }
};
