// Takes passes at once that went the same way before. When a pass is issued, the state is compared
// with those seen at earlier issues: from equal states, equal passes make equal states after an equal
// time. What lies between two issues is simulated once and looked up from then on.
#pragma once
#include <unordered_map>
#include <vector>

#include "fingerprint.h"
#include "passes.h"

class SteadyState {
  public:
    explicit SteadyState(Accelerator& machine) : m_(machine), s_(machine.state) {}

    // Runs until the program ends or so many cycles have passed.
    void run(int64_t until) {
        while (!m_.done() && m_.cycles < until) {
            const Accelerator::Events events = m_.cycle();
            if (events.started) begin();
            if (events.issued) issued();
        }
    }

  private:
    static constexpr size_t kMostStates = 4096;

    // What happens from one issue to the next.
    struct Step {
        int to = 0;
        int64_t cycles = 0, link_words = 0;
        CounterBlock counters{};
        Activity activity;
    };

    Accelerator& m_;
    State& s_;
    std::vector<State> states_;
    std::unordered_map<Digest, int, Digest::Hash> numbers_;
    std::unordered_map<Digest, Step, Digest::Hash> steps_;
    uint64_t constants_ = 0, shared_ = 0;  // of the CONV command
    int64_t passes_ = 0;                   // of it issued so far
    Digest newest_signature_, previous_signature_;
    bool newest_exact_ = false, previous_exact_ = false;
    // the issue from which the simulation runs
    bool recording_ = false;
    Digest key_;
    State before_;
    int64_t before_cycles_ = 0;

    // A CONV command has begun: note in which banks its passes meet.
    void begin() {
        recording_ = false;
        passes_ = 0;
        NestWalker walker = s_.sequencer.walker;
        walker.index.fill(0);
        Digest d;
        const auto* words = reinterpret_cast<const uint64_t*>(&walker.constants);
        for (size_t i = 0; i < sizeof(Constants) / sizeof(uint64_t); ++i) d.add(words[i]);
        constants_ = d.low;
        BankUse use;
        do {
            const PassTable table = m_.table(walker);
            use.include(PassFacts(m_.config, table).banks());
        } while (walker.skip());
        shared_ = use.shared();
    }
    // A pass was issued in the cycle before.
    void issued() {
        ++passes_;
        enter(s_.tables[s_.sequencer.issued & 1]);
        const bool settled = passes_ > 1 && waits();
        const int here = settled ? number() : -1;
        if (recording_ && settled && comparable()) record(here);
        recording_ = false;
        if (settled) follow(here);
    }
    // The pass is the newest one.
    void enter(const PassTable& table) {
        previous_signature_ = newest_signature_;
        previous_exact_ = newest_exact_;
        const PassFacts facts(m_.config, table);
        newest_signature_ = facts.signature(constants_, shared_);
        newest_exact_ = facts.touches(shared_);
    }
    // Nothing but passes and the filters that they need is under way.
    bool waits() const {
        const int state = s_.decoder.state;
        const bool still = (state == Decoder::kFilters && s_.decoder.left > 0) ||
                           state == Decoder::kHeader || state == Decoder::kDescriptor ||
                           state == Decoder::kDispatch;
        return still && !s_.loader.busy && !s_.unmasker.busy() && !s_.storer.busy() && !s_.vector.busy();
    }
    // Number of the present state among those seen.
    int number() {
        Digest d = Fingerprint(m_.config, s_, newest_exact_ || previous_exact_).digest();
        d.add(newest_signature_.low, newest_signature_.high, previous_signature_.low,
              previous_signature_.high);
        d.add(uint64_t(s_.link.beat_valid(m_.gates)));
        const auto found = numbers_.find(d);
        if (found != numbers_.end()) return found->second;
        if (states_.size() == kMostStates) {
            states_.clear();
            numbers_.clear();
            steps_.clear();
            recording_ = false;
        }
        const int number = int(states_.size());
        numbers_[d] = number;
        states_.push_back(s_);
        return number;
    }

    // ---- what was simulated since the last issue ------------------------------------------------

    bool comparable() const {
        return s_.stream.position == before_.stream.position &&
               s_.decoder.state == before_.decoder.state &&
               s_.link.results == before_.link.results;
    }
    void note(const Digest& key) {
        recording_ = true;
        key_ = key;
        before_.stream = s_.stream;
        before_.decoder = s_.decoder;
        before_.link = s_.link;
        before_.counters = s_.counters;
        before_.activity = s_.activity;
        before_cycles_ = m_.cycles;
    }
    void record(int to) {
        Step step;
        step.to = to;
        step.cycles = m_.cycles - before_cycles_;
        step.link_words = s_.link.taken - before_.link.taken;
        for (int i = 0; i < kCounters; ++i)
            step.counters[i] = s_.counters[i] - before_.counters[i];
        step.counters[Counter::glb_ifmap_words] = 0;  // counted apart: the map's edges differ
        step.activity = s_.activity - before_.activity;
        steps_[key_] = step;
    }

    // ---- steps that are known -------------------------------------------------------------------

    void follow(int here) {
        bool moved = false;
        const int bank = s_.sequencer.issued & 1;
        PassTable newest = s_.tables[bank], previous = s_.tables[bank ^ 1];
        Sequencer& q = s_.sequencer;
        int rows[2] = {q.row_loader.held[bank], q.row_loader.held[bank ^ 1]};
        int columns[2] = {q.column_loader.held[bank], q.column_loader.held[bank ^ 1]};
        for (;;) {
            NestWalker next = q.walker;
            const int cycles = next.skip();
            if (!cycles) break;
            const PassTable table = m_.table(next);
            const int row = m_.row_patterns.at(next.bases.rows);
            const int column = m_.column_patterns.at(next.bases.columns);
            Digest key = PassFacts(m_.config, table).signature(constants_, shared_);
            key.add(uint64_t(here), uint64_t(cycles), uint64_t(rows[1] == row),
                    uint64_t(columns[1] == column));
            const auto found = steps_.find(key);
            if (found == steps_.end()) {
                if (moved) restore(here, newest, previous, rows, columns);
                note(key);
                return;
            }
            const Step& step = found->second;
            if (s_.decoder.state == Decoder::kFilters && s_.decoder.left <= step.link_words) break;
            take(step, table);
            q.walker = next;
            q.walker.opening = false;
            previous = newest;
            newest = table;
            rows[1] = rows[0];
            rows[0] = row;
            columns[1] = columns[0];
            columns[0] = column;
            enter(table);
            ++passes_;
            here = step.to;
            moved = true;
        }
        if (moved) restore(here, newest, previous, rows, columns);
    }
    void take(const Step& step, const PassTable& table) {
        m_.cycles += step.cycles;
        for (int i = 0; i < kCounters; ++i) s_.counters[i] += step.counters[i];
        s_.counters[Counter::glb_ifmap_words] += PassFacts(m_.config, table).ifmap_words();
        s_.activity += step.activity;
        s_.link.taken += step.link_words;
        s_.decoder.left -= s_.decoder.state == Decoder::kFilters ? step.link_words : 0;
    }
    // Puts the machine into a state seen before, with the passes and totals of now.
    void restore(int number, const PassTable& newest, const PassTable& previous,
                 const int (&rows)[2], const int (&columns)[2]) {
        State state = states_[number];
        const int bank = state.sequencer.issued & 1;
        const Link there = state.link;
        state.stream = s_.stream;
        state.decoder = s_.decoder;
        state.link = s_.link;
        state.link.in_part = there.in_part;
        state.link.out_part = there.out_part;
        state.link.credit = there.credit;
        state.link.offered = there.offered;
        state.sequencer.walker = s_.sequencer.walker;
        state.sequencer.next = s_.sequencer.next;
        state.tables[bank] = newest;
        state.tables[bank ^ 1] = previous;
        for (int i = 0; i < 2; ++i) {
            state.sequencer.row_loader.held[bank ^ i] = rows[i];
            state.sequencer.column_loader.held[bank ^ i] = columns[i];
        }
        state.counters = s_.counters;
        state.activity = s_.activity;
        state.loader = s_.loader;
        state.unmasker = s_.unmasker;
        state.storer = s_.storer;
        state.vector = s_.vector;
        s_ = std::move(state);
    }
};
