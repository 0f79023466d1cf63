// hw/post/processor.py and packer.py: items in, buffer writes out.
#pragma once
#include "queue.h"
#include "records.h"

// What the post-processor is handed, but for the accumulators.
struct Item {
    bool valid = false;
    uint8_t mask = 0, lane = 0;
    bool raw = false;
    int address = 0, plane = 0;
};

struct PostProcessor {
    static constexpr int kMost = 16;
    Item flight[kMost] = {};  // the newest first
    int held = 0;             // valid ones among them
    int word = 0;             // of the item that the packer places
    bool writing = false;     // the packer holds a write
    int address = 0;          // of that write
    ItemQueue<int, 2> queue;  // addresses of writes on their way, with `control.pipeline` only

    // Registers in front of the packer.
    static int ranks(const Config& config) {
        return post_ranks(int(config.array.data_width), int(config.array.psum_width));
    }
    bool busy() const { return held != 0 || writing || queue.valid(); }
    // A write waits for the buffer, and where to.
    bool writes(const Config& config) const {
        return config.control.pipeline ? queue.valid() : writing;
    }
    int target(const Config& config) const {
        return config.control.pipeline ? queue.front() : address;
    }
    // An item is taken in this cycle; `granted`: the write that waits goes.
    bool ready(const Config& config, bool granted) const {
        const Item& oldest = flight[ranks(config) - 1];
        return !oldest.valid || ((!writing || leaves(config, granted)) && last_word(config, oldest));
    }
    void clock(const Config& config, bool granted, const Item& incoming) {
        const int count = ranks(config);
        const Item oldest = flight[count - 1];
        const bool free = !writing || leaves(config, granted), enabled = ready(config, granted);
        if (config.control.pipeline) {
            const bool put = writing && queue.ready(2);
            queue.clock(put, put ? address : 0, granted);
        }
        if (free) {
            writing = oldest.valid && some(config, oldest);
            if (oldest.valid) {
                address = place(config, oldest);
                word = last_word(config, oldest) ? 0 : word + 1;
            }
        }
        if (enabled && (held || incoming.valid)) {
            held += int(incoming.valid) - int(oldest.valid);
            for (int i = count - 1; i > 0; --i) flight[i] = flight[i - 1];
            flight[0] = incoming.valid ? incoming : Item{};
        }
    }

  private:
    // The packer's write goes.
    bool leaves(const Config& config, bool granted) const {
        return config.control.pipeline ? queue.ready(2) : granted;
    }
    static int per_word(const Config& config) { return int(config.buffer.width / 32); }
    static int words(const Config& config) {
        const int count = int(config.post.units) / per_word(config);
        return count > 1 ? count : 1;
    }
    bool last_word(const Config& config, const Item& item) const {
        return !item.raw || word == words(config) - 1;
    }
    // Something is written in the present word.
    bool some(const Config& config, const Item& item) const {
        if (!item.raw || per_word(config) > config.post.units) return item.mask != 0;
        return ((item.mask >> (word * per_word(config))) & ((1 << per_word(config)) - 1)) != 0;
    }
    int place(const Config& config, const Item& item) const {
        const int mask = (1 << kAddressBits) - 1;
        if (word) return (address + item.plane) & mask;
        if (!item.raw) return item.address;
        const int block = item.lane / per_word(config) / words(config) * words(config);
        return int((item.address + int64_t(block) * item.plane) & mask);
    }
};
