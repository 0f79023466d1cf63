// hw/engines/psum_writer.py: results of the columns to the buffer or, finished, to post-processing.
#pragma once
#include <algorithm>

#include "post.h"
#include "psum_order.h"

struct PsumWriter {
    // A gathered beat and where it belongs.
    struct Beat {
        int count = 0, address = 0, output = 0, channel = 0;
        bool finished = false, window_end = false;
    };
    int done = 0;
    int written_window = 0;
    int part = 0, item = 0;
    bool full = false, drained = false;
    PsumNest nest;
    Beat beat;

    bool psum_valid() const { return full && !beat.finished; }
    bool item_valid() const { return full && beat.finished; }
    bool final_item(const Config& config) const {
        return (item + 1) * config.post.units >= beat.count;
    }
    Item item_on_offer(const Config& config, const Tables& tables) const {
        const Constants& c = table_behind(tables, done).constants;
        const int first = item * int(config.post.units);
        const int channel = (beat.channel + first) & ((1 << kChannelBits) - 1);
        const int block = channel / int(config.lanes);
        const bool raw = c.mode == Rounding::RAW;
        const int64_t words = raw ? block * (32 / config.array.data_width) : block;
        Item result;
        result.mask = uint8_t((1 << std::min(beat.count - first, int(config.post.units))) - 1);
        result.address = int(beat.output + words * c.plane) & ((1 << kAddressBits) - 1);
        result.lane = uint8_t(channel % config.lanes);
        result.raw = raw;
        result.plane = int(c.plane);
        return result;
    }
    // The column whose beat is wanted in this cycle (`leave`: the gathered one goes), -1 for none.
    int column(int issued, bool leave) const {
        return issued != done && !drained && (!full || leave) ? nest.column() : -1;
    }
    // The last pass of a command is done.
    bool closes(const Tables& tables, bool post_idle) const {
        return drained && !full && post_idle && table_behind(tables, done).closing;
    }
    // `taken`: the column's beat came; `leave`: the gathered beat goes; `item_sent`: an item of it.
    void clock(const Config& config, const Tables& tables, bool taken, bool leave, bool item_sent,
               bool post_idle) {
        const PassTable& table = table_behind(tables, done);
        const bool was_full = full, was_drained = drained;
        if (item_sent) item = final_item(config) ? 0 : item + 1;
        if (leave && beat.window_end) ++written_window;
        bool step = false;
        if (taken) step = gather(config, table);
        full = step || (was_full && !leave);
        if (was_drained && !was_full && post_idle) {
            drained = false;
            written_window = 0;
            done = (done + 1) & 3;
        }
    }

  private:
    // Takes a part of a beat; returns whether the beat is complete.
    bool gather(const Config& config, const PassTable& table) {
        const Constants& c = table.constants;
        const int left = int(c.psums - nest.beat() * config.psum_beat);
        const int count = std::min(left, int(config.psum_beat));
        if ((part + 1) * config.noc.psum_out < count) {
            ++part;
            return false;
        }
        part = 0;
        const Segment& segment = table.rows->segments[nest.segment()];
        const Column& column = table.columns->columns[nest.column()];
        beat.count = count;
        beat.address = nest.address(table);
        beat.output = int(table.bases.output + segment.output + column.output +
                          nest.window() * c.pixel_words) &
                      ((1 << kAddressBits) - 1);
        beat.channel = int(table.bases.channel + segment.channel + column.channel +
                           nest.beat() * config.psum_beat) &
                       ((1 << kChannelBits) - 1);
        beat.finished = segment.last && table.last;
        beat.window_end = nest.window_ends(table);
        if (nest.step(table)) drained = true;
        return true;
    }
};
