// hw/engines/filter_reader.py: the filters of a pass out of the global buffer.
#pragma once
#include "filters.h"
#include "reader.h"

struct FilterReader {
    struct Label {};
    bool active = false;
    int part = 0, read = 0;
    // The next word, where its unit begins, the word after this row tag's first unit.
    int place = 0, begun = 0, after = 0;
    // With cells: where those of a channel and of a tap begin, where the next column tag's unit does.
    int line = 0, tap = 0, beside = 0, cell = 0, channel = 0;
    bool first = true;    // channel of the first tap
    int left = 0;         // row tags up to a jump; 0 or less: there is none ahead
    bool second = false;  // the other half of a word is next
    Nest<3> nest;
    Reader<Label> reader;

    bool offers() const { return active && part == 0; }
    int address() const { return place; }
    // A word for the filter engine is there.
    bool word_valid(const Config& config) const {
        return reader.valid() && (config.buffer.width >= 64 || second);
    }
    // `table`: of the pass; `accepted`: the buffer grants a request; `word`: the engine takes a word,
    // `last` with the last beat of a unit.
    void clock(const Config& config, const PassTable& table, const Nest<3>::Limits& limits, bool seek,
               bool accepted, bool word, bool last) {
        const bool pipeline = config.control.pipeline != 0;
        const bool entered = reader.takes(pipeline, offers(), accepted);
        const bool leaves = config.buffer.width < 64 ? reader.valid() && (!second || word)
                                                   : word && (config.buffer.width == 64 || second || last);
        reader.clock(pipeline, entered, {place, false, {}}, accepted, leaves);
        if (config.buffer.width < 64) second ^= leaves;
        else if (config.buffer.width > 64 && word) second = !(second || last);
        const int reads = int(config.buffer.width < 64 ? 64 / config.buffer.width : 1);
        const bool step = active && (part != 0 || (entered && read == reads - 1));
        if (entered) {
            next_word(config, table.constants);
            read = read == reads - 1 ? 0 : read + 1;
        }
        if (step) {
            const int64_t bits = config.buffer.width < 64 ? 64 : config.buffer.width;
            const int beats = int(bits / (config.noc.filter * config.array.data_width));
            const bool finished = nest.ends(0, limits), unit = nest.last(2, limits);
            part = unit || part == beats - 1 ? 0 : part + 1;
            if (unit) next_unit(table, nest.last(1, limits));
            nest.step(limits);
            if (finished) active = false;
        }
        if (seek) {
            active = true;
            place = begun = int(table.filters()) & kAddressMask;
            left = int(table.rows->head.turn);
            begin_unit();
        }
    }

  private:
    void begin_unit() {
        cell = channel = 0;
        first = true;
    }
    void next_word(const Config& config, const Constants& c) {
        if (!c.cells) {
            place = (place + 1) & kAddressMask;
            return;
        }
        if (cell == 0) line = place;
        if (cell == 0 && channel == 0) tap = place;
        const int after = (place + int(c.group_stride)) & kAddressMask;
        if (first) beside = after;
        if (++cell < cells(config, c)) {
            place = after;
            return;
        }
        cell = 0;
        first = false;
        if (++channel < c.channels) {
            place = (line + 1) & kAddressMask;
            return;
        }
        channel = 0;
        place = (tap + int(c.tap_stride)) & kAddressMask;
    }
    void next_unit(const PassTable& table, bool last_group) {
        if (nest[1] == 0) after = table.constants.cells ? begun + int(table.constants.channels) : place;
        begin_unit();
        if (last_group) {
            begun = after;
            if (left == 1) begun += int(table.constants.unit_jump);
            left = left == 1 ? int(table.rows->head.period) : left - 1;
        } else if (table.constants.cells) {
            begun = beside;
        } else {
            begun += int(table.constants.group_stride);
        }
        place = begun &= kAddressMask;
    }
    static constexpr int kAddressMask = (1 << kAddressBits) - 1;
};
