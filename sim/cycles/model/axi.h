// hw/memory/axi.py with sim/outside/axi_memory.py after it: a memory behind AXI4 that never pauses and
// has a latency. The slave answers in the order of the parts, reads and writes apart.
#pragma once
#include <cstdint>

#include "memory.h"

struct AxiModel {
    static constexpr int kOutstanding = 4, kPage = 512, kMostBeats = 64;
    enum State : int { kIdle, kAsk, kWrite };
    struct Part {
        int length = 0;  // beats minus one
    };
    using Parts = ItemQueue<Part, kOutstanding>;

    int latency = 1;
    // the master
    int state = kIdle;
    uint64_t address = 0;
    int left = 0, words = 0, under_way = 0;
    bool write = false, writing = false;
    bool told = false, given = false;
    // the slave
    Parts reads, writes;
    int read_wait = 1, write_wait = 0, beat = 0;
    bool written = false;

    explicit AxiModel(int cycles = 1) : latency(cycles), read_wait(cycles) {}

    bool request_ready() const { return state == kIdle; }
    bool settled() const { return state == kIdle && under_way == 0; }
    bool write_ready() const { return state == kWrite && slave_takes() && !given; }
    bool read_valid() const { return reads.valid() && read_wait == 0; }

    void clock(const MemoryAsk& ask) {
        const int part = this->part();
        const bool may_ask = writing == write ? under_way != kOutstanding : under_way == 0;
        const bool asks_read = state == kAsk && may_ask && !write && reads.ready(kOutstanding);
        const bool told_now = state == kWrite && !told && writes.ready(kOutstanding);
        const bool passes = write_ready() && ask.word;
        const bool last = passes && words == 0;
        const bool ends = state == kWrite && (told || told_now) && (given || last);
        const bool read_last = read_valid() && beat == reads.front().length;
        const bool answered = written && write_wait == 0;
        serve(asks_read, told_now, part, last, read_last, answered);
        switch (state) {
            case kIdle:
                address = ask.address;
                left = ask.length;
                write = ask.write;
                if (ask.request) state = kAsk;
                break;
            case kAsk:
                words = part;
                if (may_ask && write) state = kWrite;
                else if (asks_read) advance(part);
                break;
            case kWrite:
                told = (told || told_now) && !ends;
                given = (given || last) && !ends;
                words -= passes;
                if (ends) advance(part);
                break;
        }
        if (asks_read || told_now) writing = write;
        under_way += int(asks_read || told_now) - int(read_last || answered);
    }

  private:
    bool slave_takes() const { return writes.valid() && !written; }
    bool crosses() const {
        const int before = kMostBeats - 1 - int(address % kMostBeats);
        return address % kPage >= kPage - kMostBeats && left > before;
    }
    int part() const {
        return crosses() ? kMostBeats - 1 - int(address % kMostBeats) : left;
    }
    void advance(int part) {
        state = crosses() ? kAsk : kIdle;
        left -= part + 1;
        address += uint64_t(part) + 1;
    }
    void serve(bool asks_read, bool asks_write, int part, bool last, bool read_last, bool answered) {
        const bool passes = read_valid();
        if (reads.valid() && read_wait != 0) --read_wait;
        if (passes) beat = read_last ? 0 : beat + 1;
        if (read_last) read_wait = latency;
        if (last) {
            written = true;
            write_wait = latency;
        } else if (write_wait != 0) {
            --write_wait;
        }
        if (answered) written = false;
        reads.clock(asks_read, {part}, read_last);
        writes.clock(asks_write, {part}, answered);
    }
};
