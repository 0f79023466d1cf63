// hw/engines/filters.py: from the stream of weight words to beats on the filter network.
#pragma once
#include "array.h"
#include "nest.h"

struct FilterEngine {
    int done = 0;
    int part = 0;
    bool opened = false;     // the place in the memory has been sought
    bool resident_valid = false;  // the weight memory shows a word
    Nest<3> nest;

    // What the engine wants in this cycle.
    struct Offer {
        bool valid = false, resident = false, buffered = false, seek = false;
        FilterBeat beat;
    };
    // `prefetched`, `read`: a word of the stream, of the buffer is there.
    Offer offer(const Tables& tables, int issued, bool prefetched, bool read) const {
        Offer o;
        if (issued == done) return o;
        const PassTable& table = table_behind(tables, done);
        if (!table.fresh) return o;
        o.resident = table.constants.resident;
        o.buffered = table.constants.buffered;
        o.seek = (o.resident || o.buffered) && !opened;
        o.valid = (o.resident ? resident_valid : o.buffered ? read : prefetched) && !o.seek;
        o.beat = {nest[0], nest[1], (done + 1) & 1,
                  nest[2] + 1 == table.constants.filter_beats};
        return o;
    }
    // Whether a word is used up with the beat on offer.
    bool ends_word(const Config& config, const Tables& tables) const {
        return part == parts(config) - 1 || nest.ends(0, limits(tables)) ||
               (table_behind(tables, done).constants.buffered && ends_unit(tables));
    }
    // Whether the beat on offer is the last for its PEs.
    bool ends_unit(const Tables& tables) const { return nest.last(2, limits(tables)); }
    Nest<3>::Limits limits(const Tables& tables) const {
        const PassTable& table = table_behind(tables, done);
        return {table.rows->head.filters, table.columns->head.groups, table.constants.filter_beats};
    }
    void clock(const Config& config, const Tables& tables, int issued, const Offer& offered,
               bool step) {
        if (issued != done && !table_behind(tables, done).fresh) {
            done = (done + 1) & 3;
            return;
        }
        if (offered.seek) {
            opened = true;
            resident_valid |= offered.resident;
        }
        if (!step) return;
        const auto bounds = limits(tables);
        const bool finished = nest.ends(0, bounds);
        part = ends_word(config, tables) ? 0 : part + 1;
        nest.step(bounds);
        if (finished) {
            done = (done + 1) & 3;
            opened = false;
        }
    }

  private:
    static int parts(const Config& config) {
        return int(64 / (config.noc.filter * config.array.data_width));
    }
};
