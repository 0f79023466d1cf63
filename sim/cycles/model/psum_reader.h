// hw/engines/psum_reader.py: psum beats from the buffer to the columns, in the order of the writer.
#pragma once
#include <algorithm>

#include "feeder.h"
#include "nest.h"
#include "psum_order.h"
#include "reader.h"

struct PsumReader {
    struct Label {
        uint8_t row = 0, steps = 0, odd = 0, column = 0, count = 0;
    };
    int done = 0;
    int part = 0;  // of the beat that is handed on
    PsumNest nest;
    Reader<Label> reader;

    // `valid`: a beat is to be read.
    struct Offer {
        bool busy = false, fresh = false, valid = false;
        int address = 0;
    };
    // `written_pass`, `written_window`: how far the writer is.
    Offer offer(const Tables& tables, int issued, int written_pass, int written_window) const {
        Offer o;
        o.busy = issued != done;
        if (!o.busy) return o;
        const PassTable& table = table_behind(tables, done);
        const Segment& segment = table.rows->segments[nest.segment()];
        o.fresh = segment.first && table.first;
        if (o.fresh) return o;
        const bool may = written_pass == done || (((written_pass + 1) & 3) == done &&
                                                  written_window > nest.window());
        o.valid = may;
        o.address = nest.address(table);
        return o;
    }
    // The column to which a beat is offered, -1 for none.
    int column() const { return reader.valid() ? reader.front().column : -1; }
    FeederBeat beat(const Config& config) const {
        const Label& label = reader.front();
        const int left = label.count - part * int(config.noc.psum_in);
        const int count = std::min(left, int(config.noc.psum_in));
        return {label.row, uint8_t(count), label.steps, label.odd};
    }
    // `granted`: the buffer answers the request that asks; `fed`: the column takes the beat.
    void clock(const Config& config, const Tables& tables, const Offer& offered, bool granted,
               bool fed) {
        const bool pipeline = config.control.pipeline != 0;
        bool final = false;
        if (fed) {
            const int left = reader.front().count - part * int(config.noc.psum_in);
            final = left <= config.noc.psum_in;
            part = final ? 0 : part + 1;
        }
        ReadRequest<Label> next;
        const PassTable& table = table_behind(tables, done);
        const bool entered = reader.takes(pipeline, offered.valid, granted);
        if (entered) {
            const Constants& c = table.constants;
            const int left = int(c.psums - nest.beat() * config.psum_beat);
            next.address = offered.address;
            next.label = {uint8_t(table.rows->segments[nest.segment()].head), uint8_t(c.steps),
                          uint8_t(c.odd), uint8_t(nest.column()),
                          uint8_t(std::min(left, int(config.psum_beat)))};
        }
        reader.clock(pipeline, entered, next, granted, final);
        if (entered || (offered.busy && offered.fresh))
            if (nest.step(table)) done = (done + 1) & 3;
    }
};
