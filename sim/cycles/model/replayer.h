// hw/replay/replayer.py with its memory and the core: a host's messages, from the first cycle after a
// reset on. Programs that pass by the replayer are not modelled, nor is a replay that fails.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "accelerator.h"
#include "board_memory.h"
#include "message_reader.h"
#include "router.h"

// What the host sends, and what its images say.
struct Session {
    std::vector<Message> messages;
    std::vector<ReplayImage> images;
    std::vector<Record> records;
    std::vector<Gate> gates;  // of link words
    int64_t words = 0;        // on the link, in all
    int64_t results = 0;      // words that the host gets, in all
};

class ReplayMachine {
  public:
    std::vector<int64_t> runs;  // cycles of each RUN that has ended
    int64_t cycles = 0;

    ReplayMachine(Accelerator& core, BoardMemory memory, Session session)
        : core_(core), memory_(std::move(memory)), session_(std::move(session)) {
        gatherer_.halves = core.config.buffer.width < 64;
        messages_.message = session_.messages.data();
        link_.total = session_.words;
        link_.parts = int(64 / core.config.link.width);
        memory_.clock({});  // it has left its reset a cycle before the first word is taken
    }
    bool done() const { return link_.results == session_.results; }

    void cycle() {
        const bool replaying = control_ == kBegin || control_ == kStart || control_ == kReplay;
        const bool answer_ready = answers_.ready(kPair), answer_valid = answers_.valid();
        const MemoryTurns turns = this->turns();
        const bool settled = memory_.settled(), written = host_writer_.idle();
        const ReplayImage& image = session_.images[image_number_];
        const bool over = this->over(image, settled);
        const bool fresh = control_ == kBegin, start = control_ == kStart && image_.job_ready();

        const Result result = core_cycle(replaying, answer_ready);
        feed(image, turns, start, result);
        const bool busy = replaying || control_ >= kAccount;
        const Served served = serve(turns, busy, written, settled, answer_ready);
        store(turns, result);
        written_ = fresh ? 0 : written_ + int64_t(turns.wrote[kScatterer]);
        passed_ = fresh ? 0 : passed_ + int64_t(result.block_ends);
        ended_ = !fresh && (ended_ || result.status_ends);

        const bool reported = control_ >= kReport && answer_ready;
        const bool left = answer_valid && link_.result_ready();
        answers_.clock(result.leaves || served.answered || reported, left);
        link_.clock(served.beat, served.taken, answer_valid, left);
        arbiter_.clock(turns.asks, turns.request_ready, turns.write_ready, turns.read_valid);
        memory_.clock(turns.ask);
        if (fresh) {
            walker_ = ImageWalker{};
            replayed_ = Queue{};
        }
        control(served, start, over, reported);
        ++cycles;
    }

  private:
    enum Client : int { kImage, kGatherer, kScatterer, kHostWriter, kHostReader, kClients };
    enum Control : int { kIdle, kBegin, kStart, kReplay, kAccount, kReport, kValue, kCycles };
    static constexpr int kHostDepth = 16, kPlaces = 4, kPair = 2;
    using Heading = Accelerator::Heading;

    // What the clients ask of the memory, and what each of them gets.
    struct MemoryTurns {
        MemoryAsk asks[kClients], ask;
        bool request_ready, write_ready, read_valid;
        bool accepted[kClients], gives[kClients], wrote[kClients];
    };
    // What became of the core's streams.
    struct Result {
        bool took, leaves, stays;
        bool placed;  // the block's header says that a place is used up
        bool block_ends, status_ends;
        BlockPlace place;
    };
    // What became of the host's words.
    struct Served {
        bool beat, taken, answered, ordered;
        bool known;     // the RUN was answered before
        int64_t image;  // of the RUN
    };

    Accelerator& core_;
    BoardMemory memory_;
    const Session session_;
    Link link_;
    MessageReader messages_;
    MemoryArbiterModel<kClients> arbiter_;
    BurstReader image_, host_reader_{kHostDepth};
    BurstWriter scatterer_, host_writer_{kHostDepth};
    Gatherer gatherer_;
    ImageWalker walker_;
    ResultRouter router_;
    ItemQueue<BlockPlace, kPlaces> places_;
    Queue replayed_, answers_;
    int control_ = kIdle;
    size_t image_number_ = 0;
    int64_t written_ = 0, passed_ = 0, begun_ = 0;
    bool ended_ = false;

    MemoryTurns turns() const {
        MemoryTurns t{{image_.ask(), gatherer_.reader.ask(), scatterer_.ask(), host_writer_.ask(),
                       host_reader_.ask()},
                      {}, memory_.request_ready(), memory_.write_ready(), memory_.read_valid(),
                      {}, {}, {}};
        t.ask = arbiter_.asked(t.asks);
        for (int client = 0; client < kClients; ++client) {
            t.accepted[client] = arbiter_.accepts(client, t.ask, t.request_ready);
            t.gives[client] = arbiter_.gives(client, t.read_valid);
            t.wrote[client] = t.asks[client].word && arbiter_.takes(client, t.write_ready);
        }
        return t;
    }
    // The replay is at its end.
    bool over(const ReplayImage& image, bool settled) const {
        return walker_.state == ImageWalker::kDone && !replayed_.valid() && image_.idle() &&
               gatherer_.idle() && scatterer_.idle() && router_.idle() && !places_.valid() &&
               settled && (image.ends ? ended_ : passed_ == image.blocks);
    }

    // ---- the core and its results -----------------------------------------------------------

    int64_t words_of(Heading heading) const {
        if (heading == Heading::kData) return core_.block_words();
        return core_.config.control.access_counters ? kCounters : kCountersAlways;
    }
    Result core_cycle(bool replaying, bool answer_ready) {
        Result r{};
        const BlockPlace* place = places_.valid() ? &places_.front() : nullptr;
        if (place) r.place = *place;
        const Heading heading = core_.heading();
        const int64_t words = words_of(heading);
        const bool ready = router_.ready(heading, place, answer_ready, scatterer_.ready(),
                                         scatterer_.job_ready());
        if (!replaying && !core_.under_way()) return r;
        const Accelerator::Moved moved = core_.step({replaying && replayed_.valid(), ready});
        r.took = moved.word;
        if (!moved.result) return r;
        r.leaves = router_.leaves(heading, place);
        r.stays = router_.stays();
        r.placed = router_.places(heading);
        r.block_ends = router_.block_ends();
        r.status_ends = router_.state == ResultRouter::kStatus;
        router_.clock(heading, r.leaves, words);
        return r;
    }
    // Data blocks that stay go to the memory.
    void store(const MemoryTurns& turns, const Result& result) {
        const bool job = result.placed && !result.place.link;
        scatterer_.clock(turns.accepted[kScatterer], turns.wrote[kScatterer], result.stays, job,
                         result.place.run);
    }

    // ---- from the image to the command stream -------------------------------------------------

    // Everything before the core.
    void feed(const ReplayImage& image, const MemoryTurns& turns, bool start, const Result& result) {
        const bool gathered = gatherer_.idle(), word = gatherer_.valid();
        const bool room = replayed_.ready(kPair), inline_ready = room && !word;
        const bool sent = walker_.command_valid(image_.valid(), gathered) && inline_ready;
        const bool taken = image_.valid() && walker_.image_ready(image, inline_ready, gathered);
        const bool gather = walker_.gathers() && gatherer_.job_ready();
        const bool scatter = walker_.scatters() && places_.ready(kPlaces);
        const Record record =
            gather || scatter ? session_.records[size_t(image.first + walker_.next)] : Record{};
        walker_.clock(image, session_.records.data(), start, taken, sent, gather || scatter,
                      written_);
        image_.clock(turns.accepted[kImage], turns.gives[kImage], taken, start,
                     {uint64_t(image.address), image.words});
        gatherer_.clock(turns.accepted[kGatherer], turns.gives[kGatherer], room, gather,
                        {record.place, record.run, record.rows, record.pitch, record.last != 0});
        places_.clock(scatter, {record.link != 0, {uint64_t(record.place), record.run}},
                      result.placed);
        replayed_.clock(room && (word || sent), result.took);
    }

    // ---- the host ---------------------------------------------------------------------------

    Served serve(const MemoryTurns& turns, bool busy, bool written, bool settled,
                 bool answer_ready) {
        Served s{};
        s.beat = link_.beat_valid(session_.gates);
        s.taken = link_.word_valid(s.beat) && messages_.ready(host_writer_.ready());
        const bool stores = s.taken && messages_.state == MessageReader::kWriteWords;
        const bool write = messages_.writes() && host_writer_.job_ready();
        const bool read = messages_.reads(busy, written) && host_reader_.job_ready();
        const bool loads = host_reader_.valid() && messages_.reads_word(answer_ready);
        s.answered = messages_.answers(host_reader_.valid()) && answer_ready;
        s.ordered = messages_.orders(busy, written) && control_ == kIdle && settled;
        const WordRun run = write || read ? messages_.run() : WordRun{};
        if (s.ordered) {
            s.known = messages_.message->kind == MessageKind::AGAIN;
            s.image = messages_.message->image;
        }
        messages_.clock(s.taken, write || read, s.answered, s.ordered);
        host_writer_.clock(turns.accepted[kHostWriter], turns.wrote[kHostWriter], stores, write,
                           run);
        host_reader_.clock(turns.accepted[kHostReader], turns.gives[kHostReader], loads, read, run);
        return s;
    }
    void control(const Served& served, bool start, bool over, bool reported) {
        switch (control_) {
            case kIdle:
                if (!served.ordered) break;
                control_ = served.known ? kReport : kBegin;
                if (served.known) break;
                image_number_ = size_t(served.image);
                begun_ = cycles + 1;
                break;
            case kBegin:
                control_ = kStart;
                break;
            case kStart:
                if (start) control_ = kReplay;
                break;
            case kReplay:
                if (over) control_ = kAccount;
                break;
            case kAccount:
                runs.push_back(cycles - begun_);
                control_ = kReport;
                break;
            default:
                if (reported) control_ = control_ == kCycles ? kIdle : control_ + 1;
                break;
        }
    }
};
