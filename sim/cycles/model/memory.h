// hw/memory: when a memory accepts requests and words, and when it gives them; see docs/memory.md.
// Each model answers from its state alone, then `clock` takes what the port carries in that cycle.
#pragma once
#include <cstdint>

#include "queue.h"

// Numbered as `MemoryKind` of sim/memory/cases.py.
namespace MemoryKind {
enum : int64_t { NONE, RAM, SDRAM, AXI };
}

// What the side of the one who asks drives in a cycle.
struct MemoryAsk {
    bool request = false;  // a request is offered
    uint64_t address = 0;  // in words
    int length = 0;        // beats minus one
    bool write = false;
    bool word = false;     // a word to be written is offered
};

// hw/memory/ram.py
struct RamTiming {
    int latency = 1;
    int pace = 1;  // cycles of a beat

    // `values`: of a case, after its kind.
    static RamTiming of(const int64_t* values) { return {int(values[0]), int(values[1])}; }
};

struct RamModel {
    RamTiming timing;
    int left = 0;
    bool writing = false, fetched = false;
    // with a latency of 2 and more: the request that waits
    bool held = false, held_write = false;
    int held_length = 0, wait = 0;
    int rest = 0;  // cycles until the next beat

    bool request_ready() const { return timing.latency == 1 ? left == 0 && rest == 0 : !held; }
    bool write_ready() const { return left != 0 && writing && rest == 0; }
    bool read_valid() const { return fetched; }

    void clock(const MemoryAsk& ask) {
        const bool direct = timing.latency == 1;
        const bool asked = direct ? ask.request : held && wait == 0;
        const bool write = direct ? ask.write : held_write;
        const int length = direct ? ask.length : held_length;
        const bool start = asked && left == 0 && rest == 0;
        const bool put = write_ready() && ask.word;
        const bool fetch = (start && !write) || (left != 0 && !writing && rest == 0);
        if (!direct) {
            if (!held) {
                held = ask.request;
                held_write = ask.write;
                held_length = ask.length;
                wait = timing.latency - 2;
            } else if (wait != 0) {
                --wait;
            } else if (start) {
                held = false;
            }
        }
        if (start) {
            writing = write;
            left = length + int(write);
        } else if (put || fetch) {
            --left;
        }
        fetched = fetch;
        if (put || fetch) rest = timing.pace - 1;
        else if (rest != 0) --rest;
    }
};

// hw/arch/sdram.py: distances in cycles, and how an address is taken apart. The members come in the
// order of `parameters` in sim/memory/cases.py.
struct SdramTiming {
    int beats = 4, cas_latency = 2, postponed = 8;
    int column_bits = 7, bank_bits = 2;  // of the address of a word, from the lowest bit
    int precharge = 1, activate = 1, recover = 5, refresh = 4, mode = 2;
    int interval = 390, power_up = 26, capture = 2;

    // `values`: of a case, after its kind.
    static SdramTiming of(const int64_t* values) {
        const auto v = [values](int place) { return int(values[place]); };
        return {v(0), v(1), v(2), v(3), v(4), v(5), v(6), v(7), v(8), v(9), v(10), v(11), v(12)};
    }
};

// hw/memory/sdram
struct SdramModel {
    static constexpr int kMostBanks = 8;
    enum State : int { START, SERVE, REFRESH, MODE };

    SdramTiming timing;
    int state = START;
    bool ready = false, busy = false, writing = false;
    uint64_t place = 0;
    int left = 0, wait = 0, recover = 0;
    int64_t rows[kMostBanks] = {-1, -1, -1, -1, -1, -1, -1, -1};  // -1: closed
    int owed = 0, until_owed = -1;  // of refreshes; -1: the interval has not begun
    int beat = 0;                   // beats to come of the word that was begun last
    bool word_written = false;      // that word is written
    uint32_t under_way = 0;         // READs of the last cycles

    bool request_ready() const { return ready && !busy; }
    bool write_ready() const { return word_written && beat == 1; }
    bool read_valid() const { return (under_way >> (timing.capture + timing.beats - 1)) & 1; }

    void clock(const MemoryAsk& ask) {
        const SdramTiming& t = timing;
        if (until_owed < 0) until_owed = t.interval - 1;
        SdramModel next = *this;
        if (wait) next.wait = wait - 1;
        if (recover) next.recover = recover - 1;
        if (beat) next.beat = beat - 1;
        next.until_owed = until_owed ? until_owed - 1 : t.interval - 1;
        next.owed = owed + int(until_owed == 0);
        next.under_way = under_way << 1;
        if (request_ready()) {
            next.busy = ask.request;
            next.place = ask.address;
            next.left = ask.length;
            next.writing = ask.write;
        }
        switch (state) {
            case START:
                if (owed == t.power_up) next.close_all();
                break;
            case SERVE:
                serve(ask, next);
                break;
            case REFRESH:
                if (wait == 0) {
                    next.wait = t.refresh - 1;
                    --next.owed;
                    if (owed == 1) next.state = ready ? SERVE : MODE;
                }
                break;
            case MODE:
                if (wait == 0) {
                    next.wait = t.mode - 1;
                    next.ready = true;
                    next.state = SERVE;
                }
                break;
        }
        *this = next;
    }

  private:
    void close_all() {
        for (int64_t& row : rows) row = -1;
        wait = timing.precharge - 1;
        state = REFRESH;
    }

    void serve(const MemoryAsk& ask, SdramModel& next) const {
        const SdramTiming& t = timing;
        const bool may_close = wait == 0 && beat == 0 && recover == 0;
        if (owed >= t.postponed || (owed != 0 && !busy && !ask.request)) {
            if (may_close) next.close_all();
            return;
        }
        if (!busy || wait != 0) return;
        const int bank = int(place >> t.column_bits) & ((1 << t.bank_bits) - 1);
        const int64_t row = int64_t(place >> (t.column_bits + t.bank_bits));
        if (rows[bank] == row) {
            const uint32_t before_write = (uint32_t{1} << (t.cas_latency + t.beats)) - 1;
            const bool turned = (under_way & before_write) == 0;
            if (beat == 0 && (!writing || (turned && ask.word))) transfer(next);
        } else if (rows[bank] < 0) {
            next.rows[bank] = row;
            next.wait = t.activate - 1;
            next.recover = t.recover - 1;
        } else if (may_close) {
            next.rows[bank] = -1;
            next.wait = t.precharge - 1;
        }
    }

    void transfer(SdramModel& next) const {
        next.place = place + 1;
        next.busy = left != 0;
        next.left = left - 1;
        next.beat = timing.beats - 1;
        next.word_written = writing;
        if (writing) next.recover = timing.recover - 1;
        else next.under_way |= 1;
    }
};

// hw/memory/arbiter.py for N clients. In a cycle: `asked` gives what the memory is asked, the other
// functions what the clients see of the memory's answers, and `clock` ends the cycle.
template <int N>
struct MemoryArbiterModel {
    static constexpr int kMostOutstanding = 8;
    struct Turn {
        int owner = 0, length = 0;
    };
    using Turns = ItemQueue<Turn, kMostOutstanding>;

    int outstanding = 4;
    bool chosen = false;
    int owner = N - 1;
    Turns writes, reads;
    int writes_beat = 0, reads_beat = 0;

    MemoryAsk asked(const MemoryAsk* clients) const {
        MemoryAsk ask = clients[owner];
        ask.request = chosen && (ask.write ? writes : reads).ready(outstanding);
        ask.word = writes.valid() && clients[writes.front().owner].word;
        return ask;
    }
    bool accepts(int client, const MemoryAsk& ask, bool request_ready) const {
        return ask.request && request_ready && client == owner;
    }
    bool takes(int client, bool write_ready) const {
        return write_ready && writes.valid() && writes.front().owner == client;
    }
    bool gives(int client, bool read_valid) const {
        return read_valid && reads.valid() && reads.front().owner == client;
    }

    void clock(const MemoryAsk* clients, bool request_ready, bool write_ready, bool read_valid) {
        const MemoryAsk ask = asked(clients);
        const bool passed = ask.request && request_ready;
        const Turn turn = {owner, ask.length};
        follow(writes, writes_beat, ask.word && write_ready, passed && ask.write, turn);
        follow(reads, reads_beat, read_valid, passed && !ask.write, turn);
        if (!chosen) {
            const int last = owner;
            for (int step = 1; step <= N && !chosen; ++step) {
                owner = (last + step) % N;
                chosen = clients[owner].request;
            }
            // Without a wish the loop has come back to the last one.
        } else if (passed) {
            chosen = false;
        }
    }

  private:
    static void follow(Turns& turns, int& count, bool beat, bool put, const Turn& turn) {
        const bool last = beat && turns.valid() && count == turns.front().length;
        if (beat) count = last ? 0 : count + 1;
        turns.clock(put, turn, last);
    }
};
