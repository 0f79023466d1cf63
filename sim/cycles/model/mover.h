// hw/control/mover.py: LOAD and STORE, boxes of buffer words in and out.
#pragma once
#include "nest.h"
#include "reader.h"
#include "records.h"

struct Mover {
    Region region;
    bool loading = false, storing = false, asking = false;
    Nest<3> nest;
    bool have_low = false;  // buffer words wider than the link
    int part = 0;           // of the link word that is loaded
    bool high = false;
    int sent_part = 0;        // of the link word that is stored
    Reader<uint8_t> reader;  // label: 1 for the box's last word

    bool busy() const { return loading || storing; }
    static bool wide(const Config& config) { return config.glb_width > 64; }
    static int parts(const Config& config) { return wide(config) ? 1 : int(64 / config.glb_width); }
    int address() const {
        return int((region.address + nest[0] * region.plane_stride + nest[1] * region.row_stride +
                    nest[2]) &
                   ((1 << kAddressBits) - 1));
    }
    bool last() const { return nest.ends(0, {region.planes, region.rows, region.run}); }

    // A write is offered, given that a link word is.
    bool write_valid(const Config& config, bool word) const {
        return loading && word && (!wide(config) || have_low);
    }
    // The link word is taken; `step`: the write is.
    bool takes_word(const Config& config, bool word, bool step) const {
        if (!loading || !word) return false;
        if (wide(config)) return !have_low || step;
        return step && (last() || part == parts(config) - 1);
    }
    bool read_valid() const { return asking && reader.room(); }
    // A link word is offered to the result stream.
    bool data_valid(const Config& config) const {
        if (!reader.valid()) return false;
        return wide(config) || reader.front() || sent_part == parts(config) - 1;
    }
    // `step`: a word of the box is written or asked for; `word_taken`, `data_taken`: a link word
    // went in or out.
    void clock(const Config& config, bool load, bool store, bool step, bool word_taken,
               bool data_taken) {
        const bool box_end = step && last();
        if (loading && step && !wide(config))
            part = box_end || part == parts(config) - 1 ? 0 : part + 1;
        if (wide(config) && word_taken) have_low = !have_low;
        bool item_taken = false, sent_last = false;
        if (reader.valid()) {
            if (wide(config)) {
                item_taken = data_taken && high;
                sent_last = item_taken && reader.front();
                if (data_taken) high = !high;
            } else {
                const bool final = reader.front() || sent_part == parts(config) - 1;
                item_taken = data_taken || !final;
                sent_last = data_taken && reader.front();
                if (item_taken) sent_part = final ? 0 : sent_part + 1;
            }
        }
        const bool asked = asking && step;
        reader.clock(asked, uint8_t(asked && box_end), item_taken);
        if (step) nest.step({region.planes, region.rows, region.run});
        if (loading && box_end) loading = false;
        if (asking && box_end) asking = false;
        if (sent_last) storing = false;
        if (load) loading = true;
        if (store) storing = asking = true;
    }
};
