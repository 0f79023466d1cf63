// hw/control/decoder.py: reads the command stream and starts what the commands ask for.
#pragma once
#include <vector>

#include "records.h"

struct Decoder {
    enum State : int {
        kBegin, kHeader, kDescriptor, kCheck, kDispatch, kPayload, kFilters, kLoad, kVector,
        kVectorBusy, kBlock, kBlockWords, kDone
    };
    int state = kBegin;
    Header header;
    int position = 0;   // words of the descriptor taken, or of a block sent
    int expected = 0;   // words of the descriptor
    int64_t left = 0;   // payload words to come
    bool counted = false;  // the value of the counter at `position` has come

    // What the engine tells in a cycle.
    struct Engine {
        bool walk_idle, conv_ready, quiet, loading, storing, vector_busy, prefetch_ready, load_ready;
        int unfinished;  // CONV commands
        int counters;  // words of a counter block
    };
    // What the decoder does in a cycle.
    struct Actions {
        bool word = false;    // takes a word of the stream
        bool result = false;  // gives a word of the result stream
        bool filter = false, load_word = false;  // payload words moved
        bool conv_word = false;  // that word is of a CONV descriptor
        bool table_word = false, memory_word = false;
        bool start_conv = false, start_vector = false, load = false, store = false;
        bool start_payload = false;  // of a command that fills a table
        bool hold = false, clear = false;
    };

    // A word on the stream is one for the box loader.
    bool loads() const { return state == kLoad && left != 0; }
    // A result word of the decoder's own is offered.
    bool result_valid() const {
        return state == kBlock ||
               (state == kBlockWords && (counted || header.opcode != Opcode::COUNTERS));
    }

    bool heading() const { return state == kBlock; }
    // Of a block of the decoder's own, whose header goes.
    int64_t block_words(const Engine& e) const { return header.opcode == Opcode::END ? 1 : e.counters; }

    // One cycle. `word`: a word is offered, `read` gives its value if it is no payload;
    // `result_ready`: the host takes a result word.
    template <class Read>
    Actions clock(const Engine& e, bool word, bool result_ready, Read read) {
        Actions a;
        switch (state) {
            case kBegin:
                a.clear = position == 0 && !word;
                if ((a.word = word) && ++position == 3) state = kHeader;
                break;
            case kHeader:
                if ((a.word = word)) {
                    const uint64_t bits = read();
                    header = Header::unpack(&bits);
                    position = 0;
                    expected = descriptor_words(int(header.opcode));
                    left = header.length;
                    state = kDescriptor;
                }
                break;
            case kDescriptor:
                if (position == expected) {
                    state = kCheck;
                } else if (header.opcode != Opcode::CONV || e.conv_ready) {
                    if ((a.word = word)) {
                        a.conv_word = header.opcode == Opcode::CONV;
                        descriptor[position] = read();
                        ++position;
                        if (header.opcode == Opcode::CONV && position == Start::kWords)
                            expected = nest_words();
                    }
                }
                break;
            case kCheck:
                state = kDispatch;
                break;
            case kDispatch:
                dispatch(e, word, a);
                break;
            case kPayload:
                if (left == 0) state = kHeader;
                else if ((a.word = word)) --left;
                a.memory_word = a.word && header.opcode == Opcode::MEMORY;
                a.table_word = a.word && !a.memory_word && header.opcode != Opcode::ROWS &&
                               header.opcode != Opcode::COLS;
                break;
            case kFilters:
                if (left == 0) state = e.loading ? kFilters : kHeader;
                else if ((a.word = a.filter = word && e.prefetch_ready)) --left;
                break;
            case kLoad:
                if ((a.word = a.load_word = word && left != 0 && e.load_ready)) --left;
                else if (!e.loading) state = kHeader;
                break;
            case kVector:
                state = kVectorBusy;
                break;
            case kVectorBusy:
                if (!e.vector_busy && e.quiet) state = kHeader;
                break;
            case kBlock:
                a.hold = header.opcode == Opcode::COUNTERS;
                if ((a.result = result_ready)) {
                    position = 0;
                    state = kBlockWords;
                }
                break;
            case kBlockWords:
                a.hold = header.opcode == Opcode::COUNTERS;
                a.result = result_ready && result_valid();
                counted = !a.result;
                if (a.result) {
                    const bool status = header.opcode == Opcode::END;
                    if (++position == (status ? 1 : e.counters)) {
                        a.clear = !status;
                        state = status ? kDone : kHeader;
                    }
                }
                break;
            case kDone:
                break;
        }
        return a;
    }

    uint64_t descriptor[64] = {};

  private:
    // Words of the descriptor of CONV, whose beginning has come.
    int nest_words() const {
        const Start start = Start::unpack(descriptor);
        return int(Start::kWords + start.constants * (Constants::kWords + start.loops * Loop::kWords));
    }
    void dispatch(const Engine& e, bool word, Actions& a) {
        const bool computed = e.quiet && e.walk_idle, all_done = computed && !e.storing;
        const bool settled = (!header.fence || all_done) && (!header.older || e.unfinished <= header.older) &&
                             (!header.stored || !e.storing);
        switch (header.opcode) {
            case Opcode::END:
            case Opcode::COUNTERS:
                if (all_done) state = kBlock;
                break;
            case Opcode::ROWS:
            case Opcode::COLS:
            case Opcode::PARAMS:
            case Opcode::SHORT_PARAMS:
            case Opcode::TABLE:
            case Opcode::MEMORY:
                if (!settled || !e.walk_idle) break;
                a.start_payload = true;
                state = kPayload;
                break;
            case Opcode::LOAD:
                if (!settled) break;
                a.load = true;
                state = kLoad;
                break;
            case Opcode::STORE:
                if (!settled || e.storing) break;
                if (left != 0 && !word) break;  // how the code of the box looks
                a.word = left != 0;
                a.store = true;
                state = kHeader;
                break;
            case Opcode::CONV:
                if (!settled) break;
                a.start_conv = true;
                state = kFilters;
                break;
            case Opcode::VECTOR:
                if (!settled || !computed) break;
                a.start_vector = true;
                state = kVector;
                break;
        }
    }
};
