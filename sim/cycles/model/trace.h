// When each unit worked, as slices of its track, and how much: what happened in a cycle is read off
// the registers and counters after it, so that the model itself knows nothing of a trace.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "accelerator.h"

// sim/cycles/trace.py has the same numbers.
namespace Track {
enum : int {
    kLinkIn, kDecoder, kLoad, kPasses, kFilters, kIfmaps, kPsumsIn, kPes, kPsumsOut, kPost, kVector,
    kStore, kLinkOut, kActivePes, kPrefetch, kColumnFifos, kTracks
};
}

// A unit's work from `begin` to before `end`; of a queue or of the PEs the time with one level.
struct Slice {
    int64_t track = 0, begin = 0, end = 0;
    int64_t amount = 0;  // what it moved or computed; of levels, their sum over the cycles
    int64_t kind = 0;    // of a command its opcode, negative while it waits
    int64_t layer = 0, command = 0, pass = 0;
    int64_t merged = 1;  // slices that this one stands for
};

// What an access of a layer has touched in the buffer: words `low` to `high`, both included.
struct Touch {
    int64_t layer = 0, kind = 0, bank = 0, begin = 0, end = 0, low = 0, high = 0;
};

class Trace {
  public:
    enum Touching : int { kLoaded, kStored, kRead, kWritten, kPsums, kFilters };

    std::vector<Slice> slices;
    std::vector<Touch> touches;
    std::vector<int64_t> running;  // cycles in a running pass: by place in `layers`, then by PE
    std::vector<int64_t> layers;

    // At most about `most` slices: beyond them levels become means over a pass, then the slices of
    // a pass become one, then both likewise of a command, then of a layer.
    Trace(const Accelerator& machine, int64_t most) : m_(machine), s_(machine.state), most_(most) {
        last_.fill(-1);
    }

    // Looks at the cycle that has just passed. `events`: what it began.
    void observe(const Accelerator::Events& events) {
        now_ = m_.cycles - 1;
        deltas();
        decoder();
        if (events.started) walking_ = next_walk_ < walks_.size() ? walks_[next_walk_++] : Owner{};
        if (events.issued) issued();
        engines();
        units();
        levels();
    }
    void finish() {
        for (int track = 0; track < Track::kTracks; ++track) close(track);
        add_running(m_.cycles);
    }

  private:
    struct Owner {
        int64_t layer = -1, command = 0;
    };
    enum Level : int { kEvery, kPass, kCommand, kLayer };
    static constexpr int kNumbers = 4;  // of passes, by which the model counts

    const Accelerator& m_;
    const State& s_;
    const size_t most_;
    int detail_ = kEvery, levels_detail_ = kEvery;  // of units, and of queues and PEs
    int64_t now_ = 0;
    static constexpr int kLookedAt[] = {
        Counter::passes, Counter::filter_words, Counter::ifmap_words_sent,
        Counter::glb_psum_read_beats, Counter::glb_psum_write_beats, Counter::link_in_words,
        Counter::link_out_words, Counter::link_store_words, Counter::glb_load_writes,
        Counter::glb_store_reads, Counter::glb_vector_reads, Counter::glb_act_write_words,
    };
    std::array<int64_t, kCounters> before_{};
    std::array<int64_t, kCounters> moved_{};
    int64_t computed_before_ = 0, running_before_ = 0;
    int64_t computed_ = 0, pes_running_ = 0;  // PEs that computed in the cycle, and that ran
    size_t blocks_ = 0;
    int state_ = Decoder::kBegin;
    Owner command_;                // that the decoder has
    Owner storing_;                // the newest STORE
    std::vector<Owner> walks_;     // CONV commands dispatched
    size_t next_walk_ = 0;
    Owner walking_;
    int64_t passes_ = 0;
    std::array<Owner, kNumbers> owners_{};  // of the newest passes, by number modulo 4
    std::array<Slice, Track::kTracks> open_{};
    std::array<bool, Track::kTracks> is_open_{};
    std::array<int64_t, Track::kTracks> worked_{};  // pass of the cycle before
    std::array<int64_t, Track::kTracks> last_;  // of each track's slices, the newest one's place
    int64_t warmed_ = 0;  // the layer of `running` that is counted, which begins at `heat_`
    size_t heat_ = 0;
    std::vector<uint32_t> running_;  // PEs that have run since a cycle, of each column
    int64_t running_since_ = 0;

    // What the counters grew by in the cycle; those of the activity are filled in when a block is
    // made, so that it is looked at itself.
    void deltas() {
        if (m_.blocks.size() != blocks_) {  // a COUNTERS command has cleared them
            blocks_ = m_.blocks.size();
            before_.fill(0);
            computed_before_ = running_before_ = 0;
        }
        for (const int i : kLookedAt) {
            moved_[i] = std::max<int64_t>(s_.counters[i] - before_[i], 0);
            before_[i] = s_.counters[i];
        }
        computed_ = s_.activity.computed - computed_before_;
        computed_before_ = s_.activity.computed;
        pes_running_ = s_.activity.running - running_before_;
        running_before_ = s_.activity.running;
    }

    // ---- slices -----------------------------------------------------------------------------

    // The unit of a track does what `slice` names in this cycle, if anything.
    void at(int track, bool busy, int64_t amount, const Slice& slice) {
        Slice& open = open_[track];
        const bool same = is_open_[track] && busy && open.kind == slice.kind &&
                          open.command == slice.command && open.pass == slice.pass &&
                          open.layer == slice.layer;
        if (!same) {
            close(track);
            if (!busy) return;
            open = slice;
            open.track = track;
            open.begin = now_;
            is_open_[track] = true;
        }
        open.end = now_ + 1;
        open.amount += amount;
    }
    void close(int track) {
        if (is_open_[track]) add(open_[track]);
        is_open_[track] = false;
    }
    void add(const Slice& slice) {
        int64_t& last = last_[slice.track];
        if (detail(slice) != kEvery && last >= 0 && together(slices[last], slice)) {
            merge(slices[last], slice);
            return;
        }
        last = int64_t(slices.size());
        slices.push_back(slice);
        while (slices.size() > most_ && detail_ < kLayer) coarser();
    }
    // Levels, of which there are most, lose their details first.
    int detail(const Slice& slice) const {
        return slice.track >= Track::kActivePes ? levels_detail_ : detail_;
    }
    bool together(const Slice& a, const Slice& b) const {
        const int detail = this->detail(a);
        if (detail == kEvery || a.layer != b.layer) return false;
        if (detail == kLayer) return true;
        if (a.command != b.command) return false;
        return detail == kCommand || a.pass == b.pass;
    }
    static void merge(Slice& into, const Slice& slice) {
        into.end = slice.end;
        into.amount += slice.amount;
        into.merged += slice.merged;
        if (into.kind < 0) into.kind = slice.kind;
    }
    void coarser() {
        ++(levels_detail_ == detail_ ? levels_detail_ : detail_);
        last_.fill(-1);
        size_t kept = 0;
        for (const Slice& slice : slices) {
            int64_t& place = last_[slice.track];
            if (place >= 0 && together(slices[place], slice)) {
                merge(slices[place], slice);
            } else {
                place = int64_t(kept);
                slices[kept++] = slice;
            }
        }
        slices.resize(kept);
    }

    // ---- who --------------------------------------------------------------------------------

    void decoder() {
        const Decoder& d = s_.decoder;
        if (state_ == Decoder::kHeader && d.state == Decoder::kDescriptor) {
            command_ = {d.header.tag, command_.command + 1};
        }
        if (state_ == Decoder::kDispatch && d.state != Decoder::kDispatch) dispatched(d);
        const bool busy = state_ != Decoder::kHeader && state_ != Decoder::kBegin &&
                          state_ != Decoder::kDone;
        const int64_t opcode = d.header.opcode;
        const bool waits = state_ == Decoder::kDispatch && d.state == Decoder::kDispatch;
        at(Track::kDecoder, busy, 1, mine(command_, waits ? -opcode : opcode));
        state_ = d.state;
    }
    void dispatched(const Decoder& d) {
        const int64_t layer = command_.layer;
        switch (d.header.opcode) {
            case Opcode::CONV:
                walks_.push_back(command_);
                break;
            case Opcode::LOAD:
                box(kLoaded, s_.loader.walk.region);
                break;
            case Opcode::STORE:
                storing_ = command_;
                box(kStored, s_.storer.walk.region);
                break;
            case Opcode::VECTOR: {
                const Vector& v = s_.vector.command;
                const bool binary = WindowWalker::binary(v);
                const int64_t rows = (binary ? (v.rows - 1) * v.stride_y + 1 : v.height) - 1;
                const int64_t words = binary ? (v.columns - 1) * v.stride_x + 1 : v.width;
                touch(kRead, layer, {v.left, v.left + words - 1}, v.blocks, v.plane_stride,
                      rows + 1, v.row_stride);
                if (binary)
                    touch(kRead, layer, {v.right, v.right + words - 1}, v.blocks,
                          v.right_plane_stride, rows + 1, v.right_row_stride);
                touch(kWritten, layer, {v.output, v.output + v.columns - 1}, v.blocks, v.plane,
                      v.rows, v.output_row_stride);
                break;
            }
            default:
                break;
        }
    }
    void box(int kind, const Region& r) {
        touch(kind, command_.layer, {r.address, r.address + r.run - 1}, r.planes, r.plane_stride,
              r.rows, r.row_stride);
    }
    static Slice mine(const Owner& owner, int64_t kind = 0, int64_t pass = 0) {
        Slice slice;
        slice.layer = owner.layer;
        slice.command = owner.command;
        slice.kind = kind;
        slice.pass = pass;
        return slice;
    }
    // The pass that comes after number `done`, both modulo 4.
    int64_t after(int done) const {
        return passes_ - ((s_.sequencer.issued - done) & (kNumbers - 1)) + 1;
    }
    Slice of_pass(int64_t pass) const { return mine(owners_[pass & (kNumbers - 1)], 0, pass); }

    // ---- units ------------------------------------------------------------------------------

    void issued() {
        ++passes_;
        owners_[passes_ & (kNumbers - 1)] = walking_;
        const PassTable& table = s_.tables[s_.sequencer.issued & 1];
        const PassFacts facts(m_.config, table);
        for (int i = 0; i < table.rows->head.slots; ++i)
            touch(kRead, walking_.layer, facts.reads(i, false), -1);
        if (table.last) touch(kWritten, walking_.layer, facts.writes(), -1);
        if (!table.first || !table.last) psums(walking_.layer, facts.psums());
        if (table.constants.buffered && table.fresh)
            touch(kFilters, walking_.layer, facts.filters(), -1);
    }
    // An engine is done with a pass when it has asked for the last word of it; what comes after
    // that belongs to the pass that it works on then, or to the one it was at.
    void engine(int track, int done, int64_t amount) {
        const bool busy = s_.sequencer.issued != done;
        const int64_t pass = busy ? after(done) : passes_;
        const bool ends = is_open_[track] && open_[track].pass == worked_[track] &&
                          worked_[track] != pass;
        const Slice slice = ends && amount ? open_[track] : of_pass(pass);
        at(track, busy || amount, amount, slice);
        worked_[track] = pass;
    }
    void engines() {
        at(Track::kPasses, s_.writer.done != s_.sequencer.issued, moved_[Counter::passes],
           of_pass(passes_));
        engine(Track::kFilters, s_.filters.done, moved_[Counter::filter_words]);
        engine(Track::kIfmaps, s_.ifmaps.done, moved_[Counter::ifmap_words_sent]);
        engine(Track::kPsumsIn, s_.reader.done, moved_[Counter::glb_psum_read_beats]);
        engine(Track::kPsumsOut, s_.writer.done, moved_[Counter::glb_psum_write_beats]);
    }
    void units() {
        const Slice command = mine(command_, s_.decoder.header.opcode);
        const bool stores = s_.storer.busy() || moved_[Counter::link_store_words];
        moves(Track::kLinkIn, moved_[Counter::link_in_words], command);
        moves(Track::kLinkOut, moved_[Counter::link_out_words],
              stores ? mine(storing_, Opcode::STORE) : command);
        works(Track::kLoad, s_.loader.busy || (s_.unmasker.busy() && !s_.unmasker.filters),
              moved_[Counter::glb_load_writes], command);
        works(Track::kStore, s_.storer.busy(), moved_[Counter::glb_store_reads], command);
        works(Track::kVector, s_.vector.busy(), moved_[Counter::glb_vector_reads], command);
        works(Track::kPost, s_.post.busy(), moved_[Counter::glb_act_write_words],
              mine(s_.vector.busy() ? command_ : owners_[passes_ & (kNumbers - 1)]));
        const int64_t macs = computed_ * m_.config.pe.macs;
        works(Track::kPes, pes_running_ != 0, macs, of_pass(passes_));
        warm();
    }
    // A unit that stays with what it has begun, whatever the decoder turns to.
    void works(int track, bool busy, int64_t amount, Slice slice) {
        if (is_open_[track]) {
            const Slice& open = open_[track];
            if (track != Track::kPes) slice = open;
        }
        at(track, busy || amount, amount, slice);
    }
    // A stream that is busy only while words cross.
    void moves(int track, int64_t words, const Slice& slice) {
        at(track, words != 0, words, slice);
    }
    // Cycles of each PE in a running pass, by the layer of the newest one: PEs that run after this
    // cycle are counted as running in the next one. They are added when they change.
    void warm() {
        const int64_t layer = owners_[passes_ & (kNumbers - 1)].layer;
        const bool other = layers.empty() || warmed_ != layer;
        if (!other && running_ == s_.array.running) return;
        add_running(now_);
        running_ = s_.array.running;
        if (!other) return;
        const size_t count = s_.array.pes.size();
        const auto found = std::find(layers.begin(), layers.end(), layer);
        heat_ = size_t(found - layers.begin()) * count;
        warmed_ = layer;
        if (found == layers.end()) {
            layers.push_back(layer);
            running.resize(running.size() + count);
        }
    }
    void add_running(int64_t until) {
        for (size_t col = 0; col < running_.size(); ++col)
            for (uint32_t left = running_[col]; left; left &= left - 1)
                running[heat_ + col * s_.array.rows + __builtin_ctz(left)] += until - running_since_;
        running_since_ = until;
    }
    void levels() {
        level(Track::kActivePes, pes_running_);
        const DeepQueue& prefetch = s_.prefetch;
        level(Track::kPrefetch, prefetch.level + prefetch.pending + prefetch.queue.level);
        int64_t held = 0;
        for (const auto& feeder : s_.array.feeders) held += feeder.queue.level;
        for (const auto& collector : s_.array.collectors) held += collector.queue.level;
        level(Track::kColumnFifos, held);
    }
    // Levels belong to a pass only so that they can be averaged over it.
    void level(int track, int64_t value) {
        Slice slice = of_pass(passes_);
        slice.kind = value;
        at(track, true, value, slice);
    }

    // ---- the buffer -------------------------------------------------------------------------

    void touch(int kind, int64_t layer, Span span, int64_t planes, int64_t plane, int64_t rows,
               int64_t row) {
        span.steps(planes - 1, plane);
        span.steps(rows - 1, row);
        touch(kind, layer, span, -1);
    }
    // Words of a bank, or of any if it is -1.
    void touch(int kind, int64_t layer, const Span& span, int64_t bank) {
        const int64_t words = m_.config.buffer.banks * m_.config.buffer.depth;
        const int64_t low = std::clamp<int64_t>(span.low, 0, words - 1);
        const int64_t high = std::clamp<int64_t>(span.high, 0, words - 1);
        for (auto& touch : touches)
            if (touch.layer == layer && touch.kind == kind && touch.bank == bank) {
                touch.low = std::min(touch.low, low);
                touch.high = std::max(touch.high, high);
                touch.end = now_ + 1;
                return;
            }
        touches.push_back({layer, kind, bank, now_, now_ + 1, low, high});
    }
    // Psum beats lie side by side in the banks of a group.
    void psums(int64_t layer, const Span& beats) {
        const int64_t depth = m_.config.buffer.depth, per_beat = m_.config.banks_per_beat;
        const int64_t last = (beats.high >> 1) / depth;
        for (int64_t group = (beats.low >> 1) / depth; group <= last; ++group) {
            if (group < 0 || group >= m_.config.psum_groups) continue;
            const int64_t first = m_.config.buffer.banks - 2 * per_beat * (group + 1);
            const int64_t low = std::max((beats.low >> 1) - group * depth, int64_t{0});
            const int64_t high = std::min((beats.high >> 1) - group * depth, depth - 1);
            for (int64_t bank = first; bank < first + 2 * per_beat; ++bank)
                touch(kPsums, layer, {bank * depth + low, bank * depth + high}, bank);
        }
    }
};
