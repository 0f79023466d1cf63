// What of a pass matters to the time that it takes, and what it reads.
#pragma once
#include <algorithm>

#include "buffer.h"
#include "digest.h"
#include "tables.h"

// A range of buffer words or beats, both ends included.
struct Span {
    int64_t low = 0, high = 0;

    // Goes on in steps of `stride` (an address increment, which wraps) for up to `count` times.
    void steps(int64_t count, int64_t stride) {
        const int64_t reach = count * signed_address(stride);
        low += std::min<int64_t>(reach, 0);
        high += std::max<int64_t>(reach, 0);
    }
    static int64_t signed_address(int64_t address) {
        return address >= int64_t{1} << (kAddressBits - 1) ? address - (int64_t{1} << kAddressBits)
                                                           : address;
    }
    void include(const Span& other) {
        low = std::min(low, other.low);
        high = std::max(high, other.high);
    }
};

// Banks that the passes of a command use for ifmaps, results, psums and filters: where two kinds
// meet, the addresses of a pass matter to its time.
struct BankUse {
    uint64_t reads = 0, writes = 0, psums = 0, filters = 0;

    void include(const BankUse& other) {
        reads |= other.reads;
        writes |= other.writes;
        psums |= other.psums;
        filters |= other.filters;
    }
    uint64_t all() const { return reads | writes | psums | filters; }
    uint64_t shared() const {
        return (reads & writes) | ((reads | writes) & psums) | ((reads | writes | psums) & filters);
    }
};

// One pass of a command before it is issued.
class PassFacts {
  public:
    PassFacts(const Config& config, const PassTable& table) : config_(config), t_(table) {}

    BankUse banks() const {
        BankUse use;
        for (int i = 0; i < t_.rows->head.slots; ++i) use.reads |= act_banks(reads(i));
        if (t_.constants.buffered && t_.fresh) use.filters = act_banks(filters());
        if (t_.last) use.writes = act_banks(writes());
        const Span psum = psums();
        if (same_group(psum)) {
            const int address = int(psum.low & kMask);
            use.psums = GlobalBuffer::psum_banks(config_, address & ~1) |
                        GlobalBuffer::psum_banks(config_, address | 1);
        } else {
            use.psums = all(config_.buffer.banks);
        }
        return use;
    }
    // Everything that decides the pass's time; `shared`: banks in which the command's reads, results
    // and psums meet.
    Digest signature(uint64_t constants, uint64_t shared) const {
        const BankUse use = banks();
        const bool exact = (use.all() & shared) != 0;
        const bool grouped = same_group(psums());
        Digest d;
        d.add(constants, t_.rows->content.low, t_.rows->content.high);
        d.add(t_.columns->content.low, t_.columns->content.high);
        d.add(uint64_t(t_.first), uint64_t(t_.last), uint64_t(t_.sync), uint64_t(t_.closing),
              uint64_t(exact), uint64_t(t_.fresh) | uint64_t(t_.release) << 1);
        d.add(grouped ? uint64_t(t_.bases.psum & 1) : uint64_t(t_.bases.psum + 2));
        if (grouped) d.add(uint64_t(psums().low >> 1) / uint64_t(config_.buffer.depth));
        // Padding is not read, and leaves the port to filters.
        if (t_.constants.buffered && ifmap_words() != ifmap_beats())
            d.add(uint64_t(t_.bases.x), uint64_t(t_.bases.y));
        if (exact)
            d.add(uint64_t(t_.bases.ifmap), uint64_t(t_.bases.x), uint64_t(t_.bases.y),
                  uint64_t(t_.bases.output), uint64_t(t_.bases.channel),
                  t_.constants.buffered ? uint64_t(t_.bases.weights) : 0);
        return d;
    }
    bool touches(uint64_t shared) const {
        const BankUse use = banks();
        return (use.all() & shared) != 0;
    }
    // Buffer words that the ifmap engine reads in the pass: beats within the map.
    int64_t ifmap_words() const {
        const Constants& c = t_.constants;
        int64_t words = 0;
        for (int i = 0; i < t_.rows->head.slots; ++i) {
            const Slot& s = t_.rows->slots[i];
            int64_t columns = 0, rows = 0;
            for (int64_t po = 0; po < c.pixel_outer; ++po)
                for (int64_t pi = 0; pi < c.pixel_inner; ++pi) {
                    const int64_t x = t_.bases.x + s.x + ((po * c.pixel_step + pi) & 0xFFFF);
                    columns += x >= 0 && x < c.width;
                }
            for (int64_t o = 0; o < s.outer; ++o)
                for (int64_t n = 0; n < s.inner; ++n) {
                    const int64_t h = s.tag + o * s.outer_step + n * s.inner_step;
                    const int64_t y = t_.bases.y + (h & ((1 << kTagBits) - 1));
                    rows += y >= 0 && y < c.height;
                }
            words += columns * rows;
        }
        return words * c.items * c.pixel_beats;
    }

    // Buffer words that the slot's ifmap rows lie in, padding included; with `spare` a plane more
    // than is read, so that no bank is forgotten.
    Span reads(int slot, bool spare = true) const {
        const Constants& c = t_.constants;
        const Slot& s = t_.rows->slots[slot];
        const int64_t first = origin(t_.bases.ifmap + s.address);
        Span span{first, first + (c.pixel_outer - 1) * c.pixel_step + c.pixel_inner - 1};
        span.steps(s.outer - 1, s.outer_words);
        span.steps(s.inner - 1, s.inner_words);
        span.steps(c.items - 1, c.item_stride);
        const int64_t planes = spare ? (s.lane + c.channels) / config_.lanes + 1
                                     : (s.lane + c.channels - 1) / config_.lanes;
        span.steps(planes, c.plane_stride);
        return span;
    }
    // Buffer words that hold the filters.
    Span filters() const {
        const int64_t bits =
            config_.noc.filter * config_.array.data_width * t_.constants.filter_beats;
        const int64_t least = std::max<int64_t>(64, config_.buffer.width);
        int64_t unit = (bits + least - 1) / least * (least / config_.buffer.width);
        int64_t step = unit, stride = t_.constants.group_stride;
        if (t_.constants.cells) {
            const Constants& c = t_.constants;
            step = c.channels;
            unit = (cells(config_, c) - 1) * stride + c.channels + (c.taps / c.channels - 1) * c.tap_stride;
            stride *= cells(config_, c);
        }
        const int64_t first = origin(t_.filters());
        Span span{first, first};
        int64_t at = first, left = t_.rows->head.turn;
        for (int i = 0; i < t_.rows->head.filters; ++i, at += step, --left) {
            if (i && left == 0) {
                at += Span::signed_address(t_.constants.unit_jump);
                left = t_.rows->head.period;
            }
            span.include({at, at + unit - 1});
        }
        span.steps(t_.columns->head.groups - 1, stride);
        return span;
    }
    Span writes() const {
        const Constants& c = t_.constants;
        Span span{}, blocks{};
        for (int i = 0; i < t_.rows->head.segments; ++i)
            for (int j = 0; j < t_.columns->head.columns; ++j) {
                const Segment& segment = t_.rows->segments[i];
                const auto& column = t_.columns->columns[j];
                const int64_t at =
                    Span::signed_address(segment.output) + Span::signed_address(column.output);
                const int64_t channel = (t_.bases.channel + segment.channel + column.channel) &
                                        ((1 << kChannelBits) - 1);
                const Span here{at, at};
                const Span mine{channel / config_.lanes, (channel + c.psums - 1) / config_.lanes};
                if (i == 0 && j == 0) {
                    span = here;
                    blocks = mine;
                }
                span.include(here);
                blocks.include(mine);
            }
        const int64_t first = origin(t_.bases.output), plane = Span::signed_address(c.plane);
        const int64_t scale = c.mode == Rounding::RAW ? 32 / config_.array.data_width : 1;
        const int64_t from = blocks.low * scale * plane;
        const int64_t to = (blocks.high * scale + scale - 1) * plane;
        span.low += first + std::min(from, to);
        span.high += first + std::max(from, to);
        span.steps(c.windows - 1, c.pixel_words);
        return span;
    }
    // Psum beats of the pass.
    Span psums() const {
        const Constants& c = t_.constants;
        Span segments{}, columns{};
        for (int i = 0; i < t_.rows->head.segments; ++i) {
            const int64_t at = Span::signed_address(t_.rows->segments[i].psum);
            if (i == 0) segments = {at, at};
            segments.include({at, at});
        }
        for (int i = 0; i < t_.columns->head.columns; ++i) {
            const int64_t at = Span::signed_address(t_.columns->columns[i].psum);
            if (i == 0) columns = {at, at};
            columns.include({at, at});
        }
        const int64_t first = t_.bases.psum;
        return {first + segments.low + columns.low,
                first + segments.high + columns.high + c.windows * c.psum_beats - 1};
    }

  private:
    static constexpr int64_t kMask = (int64_t{1} << kAddressBits) - 1;
    const Config& config_;
    const PassTable& t_;

    static uint64_t all(int64_t banks) {
        return banks == 64 ? ~uint64_t{0} : (uint64_t{1} << banks) - 1;
    }
    // A first address as a number that may be negative.
    int64_t origin(int64_t address) const {
        address &= kMask;
        return address >= config_.buffer.banks * config_.buffer.depth ? address - kMask - 1 : address;
    }
    // Beats of the ifmap engine, padding included.
    int64_t ifmap_beats() const {
        const Constants& c = t_.constants;
        int64_t rows = 0;
        for (int i = 0; i < t_.rows->head.slots; ++i)
            rows += t_.rows->slots[i].outer * t_.rows->slots[i].inner;
        return rows * c.pixel_outer * c.pixel_inner * c.items * c.pixel_beats;
    }
    bool same_group(const Span& span) const {
        return span.low >= 0 && span.high <= kMask &&
               (span.low >> 1) / config_.buffer.depth == (span.high >> 1) / config_.buffer.depth;
    }
    // Banks of a range of words; all of them where the range could wrap into the buffer.
    uint64_t act_banks(const Span& span) const {
        const int64_t words = config_.buffer.banks * config_.buffer.depth;
        const int64_t room = (int64_t{1} << kAddressBits) - words;
        if (span.low < -room || span.high >= words + room) return all(config_.act_banks);
        const int64_t low = std::max<int64_t>(span.low, 0) / config_.buffer.depth;
        const int64_t high = std::min(span.high, words - 1) / config_.buffer.depth;
        if (span.high < 0 || span.low >= words) return 0;
        return (all(high + 1) & ~all(low)) & all(config_.act_banks);
    }
};
