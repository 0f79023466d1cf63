// The order in which both psum engines serve the columns, and the addresses of psum beats.
#pragma once
#include "nest.h"
#include "tables.h"

struct PsumNest {
    enum Level : int { kWindow, kSegment, kColumn, kBeat };
    Nest<4> nest;

    static Nest<4>::Limits limits(const PassTable& table) {
        return {table.constants.windows, table.rows->head.segments, table.columns->head.columns,
                table.constants.psum_beats};
    }
    int window() const { return nest[kWindow]; }
    int segment() const { return nest[kSegment]; }
    int column() const { return nest[kColumn]; }
    int beat() const { return nest[kBeat]; }
    // Nothing of the window is left after this beat.
    bool window_ends(const PassTable& table) const { return nest.ends(kSegment, limits(table)); }
    // Goes to the next beat; returns whether the pass is over.
    bool step(const PassTable& table) {
        const Nest<4>::Limits bounds = limits(table);
        const bool over = nest.ends(kWindow, bounds);
        nest.step(bounds);
        return over;
    }
    int address(const PassTable& table) const {
        const int64_t place = table.bases.psum + table.rows->segments[segment()].psum +
                              table.columns->columns[column()].psum +
                              window() * table.constants.psum_beats + beat();
        return int(place & ((1 << kAddressBits) - 1));
    }
};
