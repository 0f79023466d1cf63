// hw/array/array.py: networks, PEs, psum chains and the ends of the columns.
#pragma once
#include <vector>

#include "collector.h"
#include "feeder.h"
#include "multicast.h"
#include "pe.h"
#include "resting.h"
#include "skipping_pe.h"

// An ifmap beat: whom it is for, how many words it holds beyond the first, and which of them are not
// zero, if that is known.
struct IfmapBeat {
    int row = 0, tag = 0, bank = 0, more = 0, nonzero = 0;
};
// What of it PEs get.
struct IfmapWords {
    uint8_t more = 0, nonzero = 0;
    explicit operator uint64_t() const { return more; }
};
struct FilterBeat {
    int row = 0, tag = 0, bank = 0;
    bool last = false;
};

struct PEArray {
    int rows = 0, cols = 0;
    std::vector<Pe> pes;  // column by column, from the bottom
    std::vector<Skips> skips;  // likewise, of PEs that skip zeros, where these are known
    std::vector<ColumnFeeder> feeders;
    std::vector<ColumnCollector> collectors;
    MulticastNetwork<IfmapWords> ifmap_network;
    MulticastNetwork<uint8_t> filter_network;  // payload: the PE's last beat of the pass
    int behind = 0;                            // PEs that have not begun the newest pass
    int announced = 0;  // the newest pass a cycle ago; PEs see this one with `control.pipeline`
    // PEs of each row that cannot take a beat
    uint32_t ifmap_busy[32] = {}, filter_busy[32] = {};
    uint32_t ifmap_targets[32] = {}, filter_targets[32] = {};  // of the beats on offer
    Resting resting;
    std::vector<uint32_t> running;  // of each column, PEs with a pass under way

    // `skipping`: zeros are known and take no time.
    void reset(const Config& config, bool skipping) {
        rows = int(config.array.rows);
        cols = int(config.array.cols);
        pes.resize(rows * cols);
        if (skipping) skips.resize(rows * cols);
        feeders.resize(cols);
        collectors.resize(cols);
        running.resize(cols);
        resting.reset(rows, cols);
        if (config.noc.pipeline) {
            ifmap_network.rows.resize(rows);
            filter_network.rows.resize(rows);
        }
    }
    bool begun() const { return behind == 0; }
    bool settled(int issued) const {
        for (const auto& one : collectors)
            if (((issued - one.done) & 3) > 1) return false;
        return true;
    }

    bool ifmap_ready(const Tables& tables, const IfmapBeat& beat) {
        const PassTable& table = tables[beat.bank];
        const uint32_t wanted = table.rows->with_iid[beat.row];
        for (uint32_t left = wanted; left; left &= left - 1) {
            const int row = __builtin_ctz(left);
            const int tag = (beat.tag - int(table.rows->rows[row].ioff)) & ((1 << kTagBits) - 1);
            ifmap_targets[row] = table.columns->with_base[tag];
        }
        return ifmap_network.ready(wanted, ifmap_targets, ifmap_busy);
    }
    bool filters_ready(const Tables& tables, const FilterBeat& beat) {
        const PassTable& table = tables[beat.bank];
        const uint32_t wanted = table.rows->with_fid[beat.row];
        for (uint32_t left = wanted; left; left &= left - 1)
            filter_targets[__builtin_ctz(left)] = table.columns->with_tid[beat.tag];
        return filter_network.ready(wanted, filter_targets, filter_busy);
    }

    // One cycle. `ifmap`, `filter`: the beat that is taken, or null; `fed`: a beat for column
    // `fed_column`, or null; `drained_column`: whose beat the psum writer takes, or -1.
    void clock(const Config& config, const Tables& tables, int issued, const IfmapBeat* ifmap,
               const FilterBeat* filter, const FeederBeat* fed, int fed_column, int drained_column,
               Activity& activity) {
        // After the issue: multiply and accumulate, a shift, a register after the scratchpads.
        const int stages = 2 + (config.array.data_width == 16) + int(config.control.pipeline);
        const PeLimits limits{8 * (stages - 1), 0xFFFFFFFFu >> (32 - 8 * stages),
                              int(config.pe.ifmap_spad), int(config.pe.psum_fifo),
                              config.noc.ifmap == 1, config.control.pipeline != 0};
        // what a number of so many bits can count (hw/pe/nonzero_ring.py)
        const uint32_t most = (1u << (32 - __builtin_clz(2 * uint32_t(limits.ifmap_spad)))) - 1;
        const int groups = int(config.noc.filter / config.pe.macs);
        const int fifo = int(config.pe.ifmap_fifo);
        const bool dense = skips.empty();
        const int shown = config.control.pipeline ? announced : issued;
        const PassTable& newest = tables[shown & 1];
        announced = issued;
        uint32_t ifmap_was[32], filter_was[32];
        const bool pipeline = !ifmap_network.rows.empty();
        if (pipeline) {
            for (int row = 0; row < rows; ++row) {
                ifmap_was[row] = ifmap_busy[row];
                filter_was[row] = filter_busy[row];
            }
        }
        wake(shown, issued);
        activity += resting.cycle;
        uint32_t columns = resting.columns;
        if (fed) columns |= 1u << fed_column;
        if (drained_column >= 0) columns |= 1u << drained_column;
        for (; columns; columns &= columns - 1) {
            const int col = __builtin_ctz(columns);
            Pe* column = &pes[col * rows];
            auto& feeder = feeders[col];
            int tail_row = -1;
            const ColumnCollector::Moves collects =
                collect(config, tables, issued, col, drained_column == col, tail_row);
            activity.collected += collects.taken;
            const int fed_row = feeder.row();
            bool column_taken = false;
            uint32_t taken = collects.taken ? 1u << tail_row : 0;  // PEs whose word leaves
            uint32_t awake = resting.awake[col], run = running[col];
            uint32_t left = awake | taken;
            if (fed_row >= 0 && (column[fed_row].waiting & kBlockedIn)) left |= 1u << fed_row;
            while (left) {
                const int row = 31 - __builtin_clz(left);
                const uint32_t here = 1u << row;
                left ^= here;
                Pe& pe = column[row];
                if (!(awake & here)) {
                    awake |= here;
                    resting.cycle.wait(pe.waiting, -1);
                    activity.wait(pe.waiting, -1);
                }
                const bool takes = (taken & here) != 0, offered = pe.chain_word();
                if (!dense || !plain_step(pe, limits, takes, activity)) {
                    const bool pending = pe.started != shown;
                    const bool below = row > 0 && column[row - 1].chain_word();
                    const auto begin = [&] { configure(config, pe, newest, row, col); };
                    const bool fed_here = fed_row == row;
                    const PeMoves moves =
                        dense ? clock_pe(pe, limits, below, fed_here, takes, pending, begin, activity)
                              : clock_skipping_pe(pe, skips[col * rows + row], limits, most, groups,
                                                  below, fed_here, takes, pending, begin, activity);
                    activity.hops += moves.took_below;
                    activity.fed += moves.took_column;
                    taken |= moves.took_below ? here >> 1 : 0;
                    left |= moves.took_below ? here >> 1 : 0;
                    column_taken |= moves.took_column;
                    behind -= moves.began;
                    run = pe.running ? run | here : run & ~here;
                    if (pe.beat_level != fifo) ifmap_busy[row] &= ~(1u << col);
                    if (moves.freed_half) filter_busy[row] &= ~(1u << col);
                    if (moves.still) {
                        awake ^= here;
                        pe.waiting = moves.waiting;
                        resting.cycle.wait(moves.waiting);
                    }
                }
                const uint32_t above = here << 1;
                if (!offered && pe.chain_word() && row + 1 < rows && !(awake & above)) {
                    awake |= above;
                    resting.cycle.wait(column[row + 1].waiting, -1);
                }
            }
            resting.awake[col] = awake;
            running[col] = run;
            const bool put = fed != nullptr && fed_column == col;
            feeder.clock(put, put ? *fed : FeederBeat{}, column_taken, int(config.pe.macs));
            if (!resting.awake[col] && collects.still && !put && !column_taken)
                resting.columns &= ~(1u << col);
            else
                resting.columns |= 1u << col;
        }
        deliver(config, tables, ifmap, filter, pipeline ? ifmap_was : ifmap_busy,
                pipeline ? filter_was : filter_busy, activity);
    }

  private:
    // What a new pass reaches: PEs see it when it is `shown`, the ends of the columns when `issued`.
    void wake(int shown, int issued) {
        if (shown != resting.shown)
            for (int col = 0; col < cols; ++col)
                for (int row = 0; row < rows; ++row) resting.wake(pes[col * rows + row], row, col);
        if (issued != resting.issued) resting.wake_columns();
        resting.shown = shown;
        resting.issued = issued;
    }
    // A cycle of a column's collector, and the row that it wants a word from.
    ColumnCollector::Moves collect(const Config& config, const Tables& tables, int issued, int col,
                                   bool leave, int& tail_row) {
        ColumnCollector& collector = collectors[col];
        const Pe* column = &pes[col * rows];
        int8_t& tail = resting.tails[col];
        if (tail != Resting::kNoTail && !leave) {
            tail_row = tail;
            if (tail < 0 || !column[tail].tail_word()) return {false, true};
        }
        const PassTable& table = table_behind(tables, collector.done);
        tail_row = collector.row(issued, table, col);
        const bool arrived = tail_row >= 0 && column[tail_row].tail_word();
        const ColumnCollector::Moves moves = collector.clock(
            issued, table, col, tail_row, arrived, leave, int(config.pe.macs),
            int(config.noc.psum_out), int(config.noc.column_fifo), config.control.pipeline != 0);
        tail = moves.still && !arrived ? int8_t(tail_row) : Resting::kNoTail;
        return moves;
    }
    // The pass that a PE begins.
    static void configure(const Config& config, Pe& pe, const PassTable& table, int row, int col) {
        const Constants& constants = table.constants;
        const Row& line = table.rows->rows[row];
        pe.running = line.active && ((table.columns->active >> col) & 1);
        pe.steps = uint8_t(constants.steps);
        pe.taps = uint8_t(constants.taps);
        pe.advance = uint8_t(constants.advance);
        pe.diagonal = uint8_t(constants.diagonal ? constants.channels : 0);
        pe.windows = uint16_t(constants.windows);
        pe.filter_rows = uint16_t(constants.filter_beats);
        pe.release = table.release;
        pe.place = uint8_t((line.head ? kHead : 0) | (line.first && table.first ? kZero : 0) |
                           (line.tail ? kTail : 0));
    }
    void deliver(const Config& config, const Tables& tables, const IfmapBeat* ifmap,
                 const FilterBeat* filter, const uint32_t* ifmap_was, const uint32_t* filter_was,
                 Activity& activity) {
        const int depth = int(config.pe.ifmap_fifo);
        ifmap_network.clock(
            ifmap != nullptr, ifmap ? tables[ifmap->bank].rows->with_iid[ifmap->row] : 0,
            ifmap_targets,
            ifmap ? IfmapWords{uint8_t(ifmap->more), uint8_t(ifmap->nonzero)} : IfmapWords{},
            ifmap_was, [&](int row, uint32_t columns, IfmapWords words) {
                const int stored = skips.empty() ? words.more + 1 : __builtin_popcount(words.nonzero);
                activity.ifmap_writes += __builtin_popcount(columns) * stored;
                for (; columns; columns &= columns - 1) {
                    const int col = __builtin_ctz(columns);
                    Pe& pe = pes[col * rows + row];
                    pe.beats |= static_cast<unsigned __int128>(words.more) << (4 * pe.beat_level);
                    if (!skips.empty())
                        skips[col * rows + row].arriving(pe.beat_level) = words.nonzero;
                    if (++pe.beat_level == depth) ifmap_busy[row] |= 1u << col;
                    resting.wake(pe, row, col);
                }
            });
        filter_network.clock(
            filter != nullptr, filter ? tables[filter->bank].rows->with_fid[filter->row] : 0,
            filter_targets, uint8_t(filter ? filter->last : 0), filter_was,
            [&](int row, uint32_t columns, uint8_t last) {
                activity.filter_writes += __builtin_popcount(columns);
                if (!last) return;
                for (; columns; columns &= columns - 1) {
                    const int col = __builtin_ctz(columns);
                    Pe& pe = pes[col * rows + row];
                    pe.complete |= uint8_t(1 << pe.filling);
                    pe.filling ^= 1;
                    resting.wake(pe, row, col);
                    if (!pe.wants_filters()) filter_busy[row] |= 1u << col;
                }
            });
    }
};
