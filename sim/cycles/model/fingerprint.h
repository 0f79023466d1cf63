// The state of the accelerator as far as it decides the time of what follows. Pass numbers, table
// banks and scratchpad halves count from the present ones, so that equal situations are equal.
#pragma once
#include "accelerator.h"

class Fingerprint {
  public:
    // `exact`: addresses of results in flight matter.
    Fingerprint(const Config& config, const State& state, bool exact)
        : config_(config), s(state), issued_(state.sequencer.issued), exact_(exact) {}

    Digest digest() {
        control();
        engines();
        for (const Pe& pe : s.array.pes) element(pe);
        for (const auto& feeder : s.array.feeders) column(feeder);
        for (const auto& collector : s.array.collectors) column(collector);
        network(s.array.ifmap_network);
        network(s.array.filter_network);
        d.add(behind(s.array.announced), uint64_t(s.array_left), uint64_t(s.was_left),
              uint64_t(s.was_issue));
        post();
        return d;
    }

  private:
    const Config& config_;
    const State& s;
    const int issued_;
    const bool exact_;
    Digest d;

    uint64_t behind(int done) const { return uint64_t((issued_ - done) & 3); }
    uint64_t bank(int number) const { return uint64_t(number ^ (issued_ & 1)); }

    void control() {
        const Decoder& decoder = s.decoder;
        d.add(uint64_t(decoder.state), uint64_t(decoder.header.opcode),
              uint64_t(decoder.header.fence), uint64_t(decoder.header.older),
              uint64_t(decoder.header.stored), uint64_t(decoder.position), uint64_t(s.pending));
        d.add(uint64_t(s.link.in_part), uint64_t(s.link.out_part), uint64_t(s.link.credit),
              uint64_t(s.link.offered));
        const NextCommand& next = s.sequencer.next;
        d.add(uint64_t(next.kept), uint64_t(next.waits), uint64_t(next.copied),
              uint64_t(next.words), uint64_t(next.place));
        for (const PatternLoader* loader : {&s.sequencer.row_loader, &s.sequencer.column_loader})
            d.add(uint64_t(loader->position), uint64_t(loader->arriving),
                  uint64_t(loader->arriving_index));
    }
    void beat(const IfmapBeat& b) {
        d.add(uint64_t(b.row) | uint64_t(b.tag) << 8 | bank(b.bank) << 24 | uint64_t(b.more) << 32);
    }
    void label(const PsumReader::Label& l) {
        d.add(uint64_t(l.row) | uint64_t(l.steps) << 8 | uint64_t(l.odd) << 16 |
              uint64_t(l.column) << 24 | uint64_t(l.count) << 32);
    }
    template <int N>
    void nest(const Nest<N>& nest) {
        for (int32_t index : nest.index) d.add(uint64_t(index));
    }
    template <class Label, class Each>
    void reader(const Reader<Label>& reader, Each each) {
        d.add(uint64_t(reader.credit), uint64_t(reader.pending), uint64_t(reader.queue.level));
        if (reader.pending) each(reader.label);
        for (int i = 0; i < reader.queue.level; ++i) each(reader.queue.items[i]);
        d.add(uint64_t(reader.requests.level));
        for (int i = 0; i < reader.requests.level; ++i) {
            each(reader.requests.items[i].label);
            d.add(uint64_t(reader.requests.items[i].skip));
        }
    }
    void engines() {
        const auto& f = s.filters;
        d.add(behind(f.done), uint64_t(f.part), uint64_t(f.opened), uint64_t(f.resident_valid));
        nest(f.nest);
        const auto& q = s.prefetch;
        d.add(uint64_t(q.level), uint64_t(q.credit), uint64_t(q.pending), uint64_t(q.queue.level));
        d.add(uint64_t(s.filter_queue.level));
        for (int k = 0; k < s.filter_queue.level; ++k) {
            const FilterBeat& b = s.filter_queue.items[k];
            d.add(uint64_t(b.row) | uint64_t(b.tag) << 8 | bank(b.bank) << 24 |
                  uint64_t(b.last) << 32);
        }
        const auto& b = s.filter_reader;
        d.add(uint64_t(b.active) | uint64_t(b.second) << 1, uint64_t(b.part), uint64_t(b.read));
        nest(b.nest);
        reader(b.reader, [](const FilterReader::Label&) {});
        if (exact_)
            for (int k = 0; k < b.reader.requests.level; ++k)
                d.add(uint64_t(b.reader.requests.items[k].address));
        const auto& i = s.ifmaps;
        d.add(behind(i.done), uint64_t(i.loaded), uint64_t(i.pixel), uint64_t(i.outer_pixel));
        nest(i.nest);
        reader(i.reader, [this](const IfmapBeat& b) { beat(b); });
        d.add(uint64_t(s.ifmap_queue.level));
        for (int k = 0; k < s.ifmap_queue.level; ++k) beat(s.ifmap_queue.items[k]);
        const auto& r = s.reader;
        d.add(behind(r.done), uint64_t(r.part));
        nest(r.nest.nest);
        reader(r.reader, [this](const PsumReader::Label& l) { label(l); });
        for (int k = 0; k < r.reader.requests.level; ++k)
            d.add(GlobalBuffer::psum_banks(config_, r.reader.requests.items[k].address));
        if (exact_)
            for (int k = 0; k < i.reader.requests.level; ++k)
                d.add(uint64_t(i.reader.requests.items[k].address));
        const auto& w = s.writer;
        d.add(behind(w.done), uint64_t(w.written_window), uint64_t(w.part), uint64_t(w.item));
        d.add(uint64_t(w.full), uint64_t(w.drained));
        nest(w.nest.nest);
        if (!w.full) return;
        d.add(uint64_t(w.beat.count), uint64_t(w.beat.finished), uint64_t(w.beat.window_end));
        if (!w.beat.finished) d.add(GlobalBuffer::psum_banks(config_, w.beat.address));
        if (exact_) d.add(uint64_t(w.beat.output), uint64_t(w.beat.channel));
    }
    void element(const Pe& pe) {
        // What a pass has fixed follows from its table.
        d.add(behind(pe.started) | uint64_t(pe.running) << 2 | uint64_t(pe.step) << 8 |
              uint64_t(pe.tap) << 16 | uint64_t(pe.window) << 24 | uint64_t(pe.pipeline) << 40);
        const uint64_t halves = ((pe.complete >> pe.reading) & 1) |
                                ((pe.complete >> (pe.reading ^ 1)) & 1) << 1 |
                                (pe.filling ^ pe.reading) << 2;
        d.add(uint64_t(pe.beats), uint64_t(pe.beats >> 64), uint64_t(pe.tails),
              uint64_t(pe.beat_level) | uint64_t(pe.beat_position) << 8 | uint64_t(pe.used) << 16 |
                  uint64_t(pe.ahead) << 24 | uint64_t(pe.out_level) << 32 | halves << 40);
    }
    void column(const ColumnFeeder& feeder) {
        d.add(uint64_t(feeder.queue.level), uint64_t(feeder.position), uint64_t(feeder.step),
              uint64_t(feeder.holding));
        for (int i = 0; i < feeder.queue.level; ++i) {
            const FeederBeat& b = feeder.queue.items[i];
            d.add(uint64_t(b.row) | uint64_t(b.count) << 8 | uint64_t(b.steps) << 16 |
                  uint64_t(b.odd) << 24);
        }
    }
    void column(const ColumnCollector& c) {
        d.add(behind(c.done) | uint64_t(c.search) << 8 | uint64_t(c.level) << 16 |
                  uint64_t(c.step) << 24 | uint64_t(c.flush) << 32 | uint64_t(c.rests) << 33,
              uint64_t(c.sent) | uint64_t(c.window) << 16 | uint64_t(c.queue.level) << 32);
    }
    template <class Payload>
    void network(const MulticastNetwork<Payload>& network) {
        for (const auto& queue : network.rows) {
            d.add(uint64_t(queue.level));
            for (int i = 0; i < queue.level; ++i)
                d.add(uint64_t(queue.items[i].columns), uint64_t(queue.items[i].payload));
        }
    }
    void post() {
        const PostProcessor& p = s.post;
        d.add(uint64_t(p.held), uint64_t(p.word), uint64_t(p.writing), uint64_t(p.queue.level));
        if (exact_)
            for (int i = 0; i < p.queue.level; ++i) d.add(uint64_t(p.queue.items[i]));
        if (p.held)
            for (int i = 0; i < PostProcessor::ranks(config_); ++i) {
                const Item& item = p.flight[i];
                d.add(uint64_t(item.valid) | uint64_t(item.mask) << 8 | uint64_t(item.raw) << 16);
                if (exact_) d.add(uint64_t(item.address), uint64_t(item.lane), uint64_t(item.plane));
            }
        if (exact_ && (p.writing || p.word)) d.add(uint64_t(p.address));
    }
};
