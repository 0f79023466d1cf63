// hw/replay/message_reader.py: WRITE, READ and RUN among the words of the link.
#pragma once
#include <cstdint>

#include "bursts.h"
#include "records.h"

struct Message {
    int64_t kind = 0;  // a `MessageKind`
    int64_t address = 0, words = 0;
    int64_t image = 0;  // of a RUN
};

struct MessageReader {
    enum State : int {
        kIdle, kFields, kSum, kCheck, kWrite, kWriteWords, kRead, kReadHeader, kReadWords, kOrder
    };
    int state = kIdle;
    int field = 0;
    int64_t left = 0;
    const Message* message = nullptr;  // the one that is served, or the next one

    WordRun run() const { return {uint64_t(message->address), message->words}; }
    // A word of the link is taken if it is offered.
    bool ready(bool writer_ready) const {
        return state == kIdle || state == kFields || (state == kWriteWords && writer_ready);
    }
    bool writes() const { return state == kWrite && message->words != 0; }
    bool reads(bool replaying, bool written) const {
        return state == kRead && !replaying && written;
    }
    bool orders(bool replaying, bool written) const {
        return state == kOrder && !replaying && written;
    }
    bool answers(bool word) const {
        return state == kReadHeader || (state == kReadWords && left != 0 && word);
    }
    // A word of the memory is taken if it is offered.
    bool reads_word(bool answer_ready) const {
        return state == kReadWords && left != 0 && answer_ready;
    }

    // `taken`: a word of the link; `begun`: the WRITE's or READ's job is taken; `answered`: a word of
    // a MEMORY block; `ordered`: the RUN is taken.
    void clock(bool taken, bool begun, bool answered, bool ordered) {
        switch (state) {
            case kIdle:
                field = 0;
                if (taken) state = kFields;
                break;
            case kFields:
                if (taken && ++field == kMessageWords) state = kSum;
                break;
            case kSum:
                state = kCheck;
                break;
            case kCheck:
                state = message->kind == MessageKind::WRITE  ? kWrite
                        : message->kind == MessageKind::READ ? kRead
                                                             : kOrder;
                break;
            case kWrite:
                left = message->words;
                if (left == 0) end();
                else if (begun) state = kWriteWords;
                break;
            case kWriteWords:
                if (taken && --left == 0) end();
                break;
            case kRead:
                left = message->words;
                if (begun) state = kReadHeader;
                break;
            case kReadHeader:
                if (answered) state = kReadWords;
                break;
            case kReadWords:
                if (left == 0) end();
                else if (answered) --left;
                break;
            case kOrder:
                if (ordered) end();
                break;
        }
    }

  private:
    void end() {
        ++message;
        state = kIdle;
    }
};
