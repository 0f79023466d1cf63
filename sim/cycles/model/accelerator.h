// hw/top/accelerator.py and hw/top/engine.py: all blocks, clocked together.
#pragma once
#include <array>
#include <vector>

#include "array.h"
#include "box_loader.h"
#include "box_storer.h"
#include "buffer.h"
#include "decoder.h"
#include "deep_queue.h"
#include "filter_reader.h"
#include "filters.h"
#include "ifmaps.h"
#include "link.h"
#include "passes.h"
#include "post.h"
#include "psum_reader.h"
#include "psum_writer.h"
#include "sequencer.h"
#include "unmasker.h"
#include "vector.h"

using CounterBlock = std::array<int64_t, kCounters>;

// The command stream without the payloads that the model does not need (all but ROWS' and COLS').
struct Stream {
    const uint64_t* words = nullptr;
    size_t position = 0;
    uint64_t next() { return words[position++]; }
};

// The registers of all blocks.
struct State {
    Stream stream;
    Link link;
    Decoder decoder;
    Sequencer sequencer;
    Tables tables;
    FilterEngine filters;
    DeepQueue prefetch;
    FilterReader filter_reader;  // with `buffer.filters` only
    // in front of the Y buses, with `control.pipeline` only (hw/noc/multicast.py)
    ItemQueue<IfmapBeat, 2> ifmap_queue;
    ItemQueue<FilterBeat, 2> filter_queue;
    IfmapEngine ifmaps;
    PsumReader reader;
    PsumWriter writer;
    PEArray array;
    // with `control.pipeline`: the array has left the older pass, two cycles late
    bool array_left = false, was_left = false, was_issue = false;
    bool was_quiet = false;   // nothing but loading and storing was under way
    BoxLoader loader;
    Unmasker unmasker;  // with `link.coding` only
    bool load_waited = false;  // its write was not granted: it goes next, unless patient (hw/glb/arbiter.py)
    BoxStorer storer;
    PostProcessor post;
    VectorEngine vector;
    int pending = 0;  // CONV commands that have begun and not written all results
    CounterBlock counters{};
    Activity activity;
};

class Accelerator {
  public:
    // What a cycle began: the walk of a CONV command, a pass.
    struct Events {
        bool started, issued;
    };
    // What the two streams offer in a cycle.
    struct Offer {
        bool word, result_ready;
    };
    // What moves in a cycle; `length`: of the block whose header was given, 0 with other words.
    struct Moved {
        Events events;
        bool word, result_valid, result;
        int64_t length;
    };
    // The block whose header is on offer.
    enum class Heading { kNone, kData, kCounters, kStatus };

    const Config config;
    const std::vector<Gate> gates;
    State state;
    PatternMemory<RowPattern> row_patterns;
    PatternMemory<ColumnPattern> column_patterns;
    std::vector<CounterBlock> blocks;
    int64_t cycles = 0;   // of the program
    int64_t stepped = 0;  // those that were simulated one by one

    Accelerator(const Config& c, const uint64_t* words, const uint8_t* counts,
                const uint8_t* stored, int64_t total, std::vector<Gate> list, MaskStream masks,
                int rate)
        : config(c), gates(std::move(list)) {
        s.stream.words = words;
        s.unmasker.counts = counts;
        s.storer.encoder.counts = stored;
        s.link.total = total;
        s.link.parts = int(64 / c.link.width);
        s.link.rate = rate * s.link.parts;
        s.ifmaps.masks = masks;
        s.array.reset(c, masks.known());
    }
    bool done() const { return s.decoder.state == Decoder::kDone; }
    // A program has begun and not ended.
    bool under_way() const {
        return !done() && (s.decoder.state != Decoder::kBegin || s.decoder.position != 0);
    }
    // The pass table of the pass that the walker shows.
    PassTable table(const NestWalker& walker) const {
        PassTable table;
        table.constants = walker.constants;
        table.bases = walker.bases;
        table.first = walker.first();
        table.last = walker.last();
        table.fresh = walker.fresh();
        table.release = walker.release();
        table.sync = walker.opening && walker.constants.sync;
        table.closing = walker.closing();
        table.rows = &row_patterns[row_patterns.at(walker.bases.rows)];
        table.columns = &column_patterns[column_patterns.at(walker.bases.columns)];
        return table;
    }

    Heading heading() const {
        if (s.storer.busy())
            return s.storer.heading() ? Heading::kData : Heading::kNone;
        if (s.decoder.state != Decoder::kBlock) return Heading::kNone;
        return s.decoder.header.opcode == Opcode::END ? Heading::kStatus : Heading::kCounters;
    }
    // Words of the block whose header was offered last.
    int64_t block_words() const { return s.storer.coded ? s.storer.length : s.storer.left; }

    // A cycle with the host on the other side of the link.
    Events cycle() {
        const bool beat = s.link.beat_valid(gates);
        const Moved moved = step({s.link.word_valid(beat), s.link.result_ready()});
        s.link.clock(beat, moved.word, moved.result_valid, moved.result);
        return moved.events;
    }

    Moved step(const Offer& streams) {
        // what the registers say
        const bool pipeline = config.control.pipeline != 0;
        const int issued = s.sequencer.issued;
        const bool walk_idle = s.sequencer.next.idle(s.sequencer.walker.idle());
        const bool post_busy = s.post.busy() || s.writer.item_valid();
        const bool vector_busy = s.vector.busy();
        const bool quiet = walk_idle && s.writer.done == issued && !post_busy && !vector_busy;
        const bool ifmaps_quiet = s.writer.done == s.ifmaps.done && !post_busy && !vector_busy;
        const bool post_idle = !s.post.busy();
        const bool word = streams.word;

        // who gets the buffer
        GlobalBuffer buffer;
        const bool psum_write = s.writer.psum_valid();
        if (psum_write) buffer.grant(true, buffer.psum_banks(config, s.writer.beat.address));
        const auto read = s.reader.offer(s.tables, issued, s.writer.done, s.writer.written_window);
        const bool psum_granted =
            s.reader.reader.asks(pipeline, read.valid) &&
            buffer.grant(true, buffer.psum_banks(config, pipeline
                                                             ? s.reader.reader.requests.front().address
                                                             : read.address));
        const bool decodes = s.unmasker.busy(), filling = s.loader.busy;
        const bool wanted = s.unmasker.wanted(filling), decoded = decodes && s.unmasker.word_valid(wanted);
        const bool prefetches = s.prefetch.ready(int(config.buffer.filter_prefetch / 8));
        const bool load_word =
            decodes ? decoded && !s.unmasker.filters : word && s.decoder.loads();
        const bool load_write = s.loader.write_valid(config, load_word);
        bool post_granted = false, load_granted = false;
        if (s.post.writes(config) && !s.load_waited)
            post_granted = buffer.grant(true, buffer.act_banks(config, s.post.target(config)));
        else if (load_write)
            load_granted = buffer.grant(true, buffer.act_banks(config, s.loader.walk.address()));
        const auto pixel = s.ifmaps.offer(s.tables);
        const auto& pixels = s.ifmaps.reader;
        const bool pixel_asks = pixels.asks(pipeline, pixel.valid);
        const bool pixel_read =
            pixel_asks && !(pipeline ? pixels.requests.front().skip : pixel.outside);
        const auto& weights = s.filter_reader.reader;
        const int weight_address = s.filter_reader.address();
        const bool weight_read = weights.asks(pipeline, s.filter_reader.offers());
        const bool vector_read = s.vector.request_valid(config);
        const bool store_read = s.storer.read_valid(config);
        bool pixel_granted = false, weight_granted = false, vector_granted = false,
             store_granted = false;
        if (pixel_read)
            pixel_granted = buffer.grant(
                true, buffer.act_banks(config, pipeline ? pixels.requests.front().address
                                                        : pixel.address));
        else if (vector_read)
            vector_granted = buffer.grant(true, buffer.act_banks(config, s.vector.request(config)));
        else if (store_read)
            store_granted = buffer.grant(true, buffer.act_banks(config, s.storer.read_address(config)));
        if (weight_read)
            weight_granted = buffer.grant(
                true, buffer.act_banks(config, pipeline ? weights.requests.front().address
                                                        : weight_address));

        // what the streams between the blocks do
        const auto filter = s.filters.offer(s.tables, issued, s.prefetch.valid(),
                                            s.filter_reader.word_valid(config));
        const FilterBeat filter_beat = pipeline ? s.filter_queue.front() : filter.beat;
        const bool filter_delivered = (pipeline ? s.filter_queue.valid() : filter.valid) &&
                                      s.array.filters_ready(s.tables, filter_beat);
        const bool filter_sent =
            pipeline ? filter.valid && s.filter_queue.ready(2) : filter_delivered;
        const bool filter_word = filter_sent && s.filters.ends_word(config, s.tables);
        const IfmapBeat pixel_beat = pipeline ? s.ifmap_queue.front() : pixels.front();
        const bool pixel_delivered = (pipeline ? s.ifmap_queue.valid() : pixels.valid()) &&
                                     s.array.ifmap_ready(s.tables, pixel_beat);
        const bool pixel_sent =
            pipeline ? pixels.valid() && s.ifmap_queue.ready(2) : pixel_delivered;
        const int operands = pixel_sent ? pixels.front().more + 1 : 0;
        const int fed_column = s.reader.column();
        const bool fed = fed_column >= 0 &&
                         s.array.feeders[fed_column].queue.ready(int(config.noc.column_fifo));
        const FeederBeat fed_beat = fed ? s.reader.beat(config) : FeederBeat{};
        const bool post_ready = s.post.ready(config, post_granted);
        const bool vector_item = s.vector.item_valid();
        const bool writer_item = s.writer.item_valid() && post_ready && !vector_item;
        const bool leave = psum_write || (writer_item && s.writer.final_item(config));
        const int drained_column = s.writer.column(issued, leave);
        const bool drained =
            drained_column >= 0 && s.array.collectors[drained_column].queue.valid();
        Item item;
        if (post_ready && (vector_item || writer_item)) {
            item = vector_item ? s.vector.item_on_offer() : s.writer.item_on_offer(config, s.tables);
            item.valid = true;
        }

        // the decoder
        const bool fills = s.loader.ready(config, load_granted);
        const bool last = s.decoder.left == 1, code_ready = decodes && s.unmasker.ready(config, last);
        const bool decoded_taken = decoded && (s.unmasker.filters ? prefetches : fills);
        const Decoder::Engine engine{walk_idle,
                                     s.sequencer.next.ready(),
                                     pipeline ? s.was_quiet : quiet,
                                     filling || decodes,
                                     s.storer.busy(),
                                     vector_busy,
                                     decodes ? code_ready : prefetches,
                                     decodes ? code_ready : fills,
                                     s.pending,
                                     config.control.access_counters ? kCounters : kCountersAlways};
        const bool block_valid = s.storer.result_valid(config), heading = s.storer.heading();
        const bool result_valid = block_valid || s.decoder.result_valid();
        const bool block_sent = block_valid && streams.result_ready;
        int64_t length = 0;
        if (block_sent && heading) length = s.storer.block_words();
        if (!block_valid && s.decoder.heading()) length = s.decoder.block_words(engine);
        const auto act = s.decoder.clock(engine, word, streams.result_ready && !s.storer.busy(),
                                         [&] { return s.stream.next(); });
        Region region;
        if (act.load || act.store) region = Region::unpack(s.decoder.descriptor);
        begin(act, region);

        // the sequencer
        const bool left = s.array.begun() && s.array.settled(issued);
        const bool free = (pipeline ? s.array_left : left) && one_behind(issued);
        const Bases& bases = s.sequencer.walker.bases;
        const bool shown = s.sequencer.walker.ready();
        const int rows = shown ? row_patterns.at(bases.rows) : -1;
        const int columns = shown ? column_patterns.at(bases.columns) : -1;
        const int row_words = shown ? int(row_patterns[rows].head.words) : 0;
        const int column_words = shown ? int(column_patterns[columns].head.words) : 0;
        const bool issue = s.sequencer.issues(free, rows, columns);

        // the clock edge
        s.array_left = s.was_left && !issue && !s.was_issue;
        s.was_left = left;
        s.was_issue = issue;
        s.was_quiet = quiet;
        s.vector.clock(config, act.start_vector, vector_granted, vector_item && post_ready);
        s.load_waited = load_write && !load_granted && !s.loader.walk.region.patient;
        const bool filter_put = decodes ? decoded_taken && s.unmasker.filters : act.filter;
        s.unmasker.clock(config, act.load && region.coded, wanted, act.load_word || act.filter, last,
                         decoded_taken);
        if (act.start_conv) begin_filters();
        s.loader.clock(config, act.load, load_granted, decodes ? load_word && fills : act.load_word);
        s.storer.clock(config, act.store, region, store_granted, block_sent);
        s.array.clock(config, s.tables, issued, pixel_delivered ? &pixel_beat : nullptr,
                      filter_delivered ? &filter_beat : nullptr, fed ? &fed_beat : nullptr, fed_column,
                      drained ? drained_column : -1, s.activity);
        s.post.clock(config, post_granted, item);
        s.pending += int(act.start_conv) - int(s.writer.closes(s.tables, post_idle));
        s.writer.clock(config, s.tables, drained, leave, writer_item, post_idle);
        s.reader.clock(config, s.tables, read, psum_granted, fed);
        if (pipeline)
            s.ifmap_queue.clock(pixel_sent, pixel_sent ? pixels.front() : IfmapBeat{},
                                pixel_delivered);
        s.ifmaps.clock(config, s.tables, pixel, issued, ifmaps_quiet,
                       pixel_asks && (!pixel_read || pixel_granted), pixel_sent);
        s.prefetch.clock(filter_put, filter_word && !filter.resident && !filter.buffered);
        if (config.buffer.filters && issued != s.filters.done)
            s.filter_reader.clock(config, table_behind(s.tables, s.filters.done),
                                  s.filters.limits(s.tables), filter.seek && filter.buffered,
                                  weight_granted, filter_word && filter.buffered,
                                  filter_word && s.filters.ends_unit(s.tables));
        s.filters.clock(config, s.tables, issued, filter, filter_sent);
        if (pipeline)
            s.filter_queue.clock(filter_sent, filter_sent ? filter.beat : FilterBeat{},
                                 filter_delivered);
        if (issue) {
            PassTable& table = s.tables[s.sequencer.bank()];
            table = this->table(s.sequencer.walker);
            s.array.behind = s.array.rows * s.array.cols;
            s.counters[Counter::glb_ifmap_words] += PassFacts(config, table).ifmap_words();
        }
        const bool started = s.sequencer.next.starts(act.start_conv);
        s.sequencer.clock(act.conv_word, act.start_conv, s.decoder.descriptor, free,
                          issue, rows, row_words, columns, column_words);

        auto& n = s.counters;
        if (act.hold) {
            if (act.clear) report();
        } else if (act.clear) {
            n = CounterBlock{};
        } else {
            ++n[Counter::cycles];
            n[Counter::glb_psum_read_beats] += psum_granted;
            n[Counter::glb_psum_write_beats] += psum_write;
            n[Counter::glb_act_write_words] += post_granted;
            n[Counter::link_in_words] += act.word;
            n[Counter::link_out_words] += act.result || block_sent;
            n[Counter::filter_words] += filter_word;
            n[Counter::passes] += issue;
            n[Counter::ifmap_words_sent] += operands;
            n[Counter::filter_words_resident] += filter_word && filter.resident;
            n[Counter::glb_filter_reads] += weight_granted;
            if (item.valid) n[Counter::glb_act_write_lanes] += lanes(item);
            n[Counter::glb_vector_reads] += vector_granted;
            n[Counter::glb_load_writes] += load_granted;
            n[Counter::glb_store_reads] += store_granted;
            n[Counter::link_filter_words] += act.filter;
            n[Counter::link_load_words] += act.load_word;
            n[Counter::link_table_words] += act.table_word;
            n[Counter::link_memory_words] += act.memory_word;
            n[Counter::link_store_words] += block_sent && !heading;
        }
        ++cycles;
        ++stepped;
        return {{started, issue}, act.word, result_valid, act.result || block_sent, length};
    }

  private:
    State& s = state;

    // Activations that an item writes.
    int lanes(const Item& item) const {
        const int results = __builtin_popcount(item.mask & ((1 << config.post.units) - 1));
        return item.raw ? results * int(32 / config.array.data_width) : results;
    }
    bool one_behind(int issued) const {
        for (int done : {s.filters.done, s.ifmaps.done, s.reader.done, s.writer.done})
            if (((issued - done) & 3) > 1) return false;
        return true;
    }
    // What the registers of the started units take over.
    void begin(const Decoder::Actions& act, const Region& region) {
        if (act.start_vector) s.vector.command = Vector::unpack(s.decoder.descriptor);
        if (act.load) s.loader.walk.region = region;
        const int64_t opcode = s.decoder.header.opcode;
        if (act.start_payload && (opcode == Opcode::ROWS || opcode == Opcode::COLS))
            fill_patterns(opcode == Opcode::ROWS);
    }
    void begin_filters() {
        const Start start = Start::unpack(s.decoder.descriptor);
        if (start.decoded) s.unmasker.begin(start.decoded);
    }
    void fill_patterns(bool rows) {
        const Index index = Index::unpack(s.decoder.descriptor);
        for (int64_t i = 0; i < index.count; ++i) {
            const uint64_t* words = s.stream.words + s.stream.position;
            const int place = int(index.first + i);
            if (rows) row_patterns.write(place, words, int(config.array.rows));
            else column_patterns.write(place, words, int(config.array.cols));
            s.stream.position += Pattern::unpack(words).words;
        }
        (rows ? s.sequencer.row_loader : s.sequencer.column_loader).forget();
    }
    void report() {
        auto& n = s.counters;
        const Activity& a = s.activity;
        n[Counter::pe_active_cycles] = a.running;
        n[Counter::macs] = a.computed * config.pe.macs;
        n[Counter::gated_macs] = a.gated * config.pe.macs;
        n[Counter::stall_ifmap] = a.starved_ifmap;
        n[Counter::stall_filter] = a.starved_filter;
        n[Counter::stall_psum_in] = a.blocked_in;
        n[Counter::stall_psum_out] = a.blocked_out;
        n[Counter::ifmap_spad_reads] = a.ifmap_reads;
        n[Counter::ifmap_spad_writes] = a.ifmap_writes;
        n[Counter::filter_spad_reads] = a.filter_reads;
        n[Counter::filter_spad_writes] = a.filter_writes;
        // A step reads and writes its slot, but the first one of a sum does not read, and the last
        // one, which sends, does not write; one for a zero between them does neither.
        const int64_t sent = a.hops + a.collected;
        n[Counter::psum_spad_reads] = n[Counter::psum_spad_writes] =
            a.computed - sent - a.idle_slots;
        n[Counter::psum_hops] = a.hops;
        n[Counter::psums_fed] = a.fed;
        n[Counter::psums_collected] = a.collected;
        blocks.push_back(n);
        n = CounterBlock{};
        s.activity = Activity{};
    }
};
