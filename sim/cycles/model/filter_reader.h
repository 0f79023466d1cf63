// hw/engines/filter_reader.py: the filters of a pass out of the global buffer.
#pragma once
#include "filters.h"
#include "reader.h"

struct FilterReader {
    struct Label {};
    bool active = false;
    int part = 0, read = 0;
    int asked = 0;        // words asked for since the pass began
    bool second = false;  // the other half of a word is next
    Nest<3> nest;
    Reader<Label> reader;

    bool offers() const { return active && part == 0; }
    int address(const FilterEngine& engine, const Tables& tables) const {
        return int(table_behind(tables, engine.done).bases.weights + asked) & kAddressMask;
    }
    // A word for the filter engine is there.
    bool word_valid(const Config& config) const {
        return reader.valid() && (config.buffer.width >= 64 || second);
    }
    // `accepted`: the buffer grants a request; `word`: the engine takes a word, `last` with the
    // pass's last beat; `address`: of this cycle.
    void clock(const Config& config, const Nest<3>::Limits& limits, bool seek, bool accepted,
               int address, bool word, bool last) {
        const bool pipeline = config.control.pipeline != 0;
        const bool entered = reader.takes(pipeline, offers(), accepted);
        const bool left = config.buffer.width < 64 ? reader.valid() && (!second || word)
                                                   : word && (config.buffer.width == 64 || second || last);
        reader.clock(pipeline, entered, {address, false, {}}, accepted, left);
        if (config.buffer.width < 64) second ^= left;
        else if (config.buffer.width > 64 && word) second = !(second || last);
        const int reads = int(config.buffer.width < 64 ? 64 / config.buffer.width : 1);
        const bool step = active && (part != 0 || (entered && read == reads - 1));
        if (entered) {
            ++asked;
            read = read == reads - 1 ? 0 : read + 1;
        }
        if (step) {
            const int64_t unit = config.buffer.width < 64 ? 64 : config.buffer.width;
            const int beats = int(unit / (config.noc.filter * config.array.data_width));
            const bool finished = nest.ends(0, limits);
            part = finished || part == beats - 1 ? 0 : part + 1;
            nest.step(limits);
            if (finished) active = false;
        }
        if (seek) {
            active = true;
            asked = 0;
        }
    }

  private:
    static constexpr int kAddressMask = (1 << kAddressBits) - 1;
};
