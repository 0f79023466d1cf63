// hw/engines/ifmaps.py: which pixels of which ifmap rows go to whom, and from where in the buffer.
#pragma once
#include <random>
#include <stdexcept>

#include "array.h"
#include "nest.h"
#include "reader.h"

// Which of the ifmap words on their way to the PEs are not zero: a bit each, in the order of
// delivery, the first one lowest; or so many of 1,000 words, drawn at random from a fixed seed; or
// nothing, with `drawn` below 0.
struct MaskStream {
    const uint8_t* bits = nullptr;
    int64_t count = 0;
    int drawn = -1;
    int64_t position = 0;
    std::minstd_rand random{};

    bool known() const { return count > 0 || drawn >= 0; }
    // The next so many.
    int next(int words) {
        int found = 0;
        for (int i = 0; i < words; ++i) found |= int(word()) << i;
        return found;
    }

  private:
    bool word() {
        if (drawn >= 0) return int(random() % 1000) < drawn;
        if (position >= count) throw std::runtime_error("the masks of ifmap words end early");
        const int64_t at = position++;
        return (bits[at >> 3] >> (at & 7)) & 1;
    }
};

struct IfmapEngine {
    enum Level : int { kPo, kPi, kSlot, kItem, kOuter, kInner, kBeat };
    static constexpr int kAddressMask = (1 << kAddressBits) - 1, kTagMask = (1 << kTagBits) - 1;

    // Where the walk is: an address for each loop level, rows from tag 0, channel and lane.
    struct Place {
        int item = 0, outer = 0, inner = 0, beat = 0;
        int h_outer = 0, h = 0, item_tag = 0, channel = 0, lane = 0;
    };

    int done = 0;
    bool loaded = false;
    int pixel = 0, outer_pixel = 0;
    Nest<7> nest;
    Place place;
    Reader<IfmapBeat> reader;
    MaskStream masks;

    // A request to the buffer, or an item that needs none (`outside` the map).
    struct Offer {
        bool valid = false, outside = false;
        int address = 0;
    };
    Offer offer(const Tables& tables) const {
        Offer o;
        o.valid = loaded;
        if (!o.valid) return o;
        const PassTable& table = table_behind(tables, done);
        const int64_t x = table.bases.x + slot(table).x + pixel, y = table.bases.y + place.h;
        o.outside =
            y < 0 || y >= table.constants.height || x < 0 || x >= table.constants.width;
        o.address = place.beat;
        return o;
    }
    // `accepted`: the item that asks is passed on; `taken`: the network takes a beat.
    void clock(const Config& config, const Tables& tables, const Offer& offered, int issued,
               bool quiet, bool accepted, bool taken) {
        const bool pipeline = config.control.pipeline != 0;
        const PassTable& table = table_behind(tables, done);
        const bool starts = issued != done && !loaded && (!table.sync || quiet);
        const bool entered = reader.takes(pipeline, offered.valid, accepted);
        ReadRequest<IfmapBeat> next;
        if (entered) {
            next = {offered.address, offered.outside, label(config, table)};
            if (masks.known()) next.label.nonzero = masks.next(next.label.more + 1);
        }
        reader.clock(pipeline, entered, next, accepted, taken);
        if (starts) {
            loaded = true;
            enter(table, 0);
        } else if (entered) {
            step(config, table);
        }
    }

  private:
    const Slot& slot(const PassTable& table) const { return table.rows->slots[nest[kSlot]]; }
    Nest<7>::Limits limits(const PassTable& table) const {
        const Constants& c = table.constants;
        const Slot& s = slot(table);
        return {c.pixel_outer, c.pixel_inner, table.rows->head.slots, c.items, s.outer, s.inner,
                c.pixel_beats};
    }
    IfmapBeat label(const Config& config, const PassTable& table) const {
        const int left = int(table.constants.channels) - place.channel, most = int(config.noc.ifmap);
        return {nest[kSlot], (place.h + place.item_tag) & kTagMask, (done + 1) & 1,
                (left > most ? most : left) - 1, 0};
    }
    // Begin with the slot that the nest shows, at this pixel.
    void enter(const PassTable& table, int at) {
        const Slot& s = slot(table);
        const int first = int(table.bases.ifmap + s.address + at) & kAddressMask;
        place = {first, first, first, first, int(s.tag), int(s.tag), 0, 0, int(s.lane)};
    }
    void step(const Config& config, const PassTable& table) {
        const Constants& c = table.constants;
        const Slot& old = slot(table);
        const Nest<7>::Limits bounds = limits(table);
        const bool last_pi = nest.last(kPi, bounds), last_po = nest.last(kPo, bounds);
        const bool finished = nest.ends(kPo, bounds);
        const int level = nest.step(bounds);
        if (level == kBeat) {
            const int width = int(config.noc.ifmap), lanes = int(config.lanes);
            place.channel += width;
            place.lane += width;
            if (place.lane >= lanes) {
                place.lane -= lanes;
                place.beat = int(place.beat + c.plane_stride) & kAddressMask;
            }
        } else if (level >= kItem) {
            place.channel = 0;
            place.lane = int(old.lane);
            if (level == kInner) {
                place.inner = int(place.inner + old.inner_words) & kAddressMask;
                place.h = int(place.h + old.inner_step) & kTagMask;
            } else if (level == kOuter) {
                place.outer = int(place.outer + old.outer_words) & kAddressMask;
                place.inner = place.outer;
                place.h = place.h_outer = int(place.h_outer + old.outer_step) & kTagMask;
            } else {
                place.item = int(place.item + c.item_stride) & kAddressMask;
                place.inner = place.outer = place.item;
                place.h = place.h_outer = int(old.tag);
                place.item_tag = int(place.item_tag + c.item_tag) & kTagMask;
            }
            place.beat = place.inner;
        } else {
            if (level <= kPi) {
                if (!last_pi) {
                    ++pixel;
                } else {
                    outer_pixel = last_po ? 0 : int(outer_pixel + c.pixel_step) & 0xFFFF;
                    pixel = outer_pixel;
                }
                pixel &= 0xFFFF;
            }
            enter(table, pixel);
        }
        if (finished) {
            loaded = false;
            done = (done + 1) & 3;
        }
    }
};
