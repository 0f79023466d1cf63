// hw/control/box.py: the walk of LOAD and STORE over a box of buffer words.
#pragma once
#include "nest.h"
#include "records.h"

struct BoxWalk {
    Region region;
    Nest<3> nest;

    int address() const {
        return int((region.address + nest[0] * region.plane_stride + nest[1] * region.row_stride +
                    nest[2]) &
                   ((1 << kAddressBits) - 1));
    }
    bool last() const { return nest.ends(0, limits()); }
    void step() { nest.step(limits()); }

    // Buffer words wider than a link word; buffer words in a link word.
    static bool wide(const Config& config) { return config.buffer.width > 64; }
    static int parts(const Config& config) { return wide(config) ? 1 : int(64 / config.buffer.width); }

  private:
    Nest<3>::Limits limits() const { return {region.planes, region.rows, region.run}; }
};
