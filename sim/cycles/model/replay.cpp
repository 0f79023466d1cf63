// The model of an accelerator with a memory as a library: a host's messages in, cycles of RUNs out.
#include <cstring>
#include <memory>
#include <string>

#include "replayer.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

struct Replay {
    Accelerator core;
    ReplayMachine machine;
    std::string error;
    Replay(const Config& config, const uint64_t* words, const uint8_t* counts, MaskStream masks,
           const int64_t* memory, Session session)
        : core(config, words, counts, nullptr, 0, {}, masks, Link::kBeat),
          machine(core, BoardMemory(memory), std::move(session)) {}
};

// Rows of numbers as records whose members are numbers.
template <class Row>
std::vector<Row> rows(const int64_t* values, int64_t count) {
    static_assert(sizeof(Row) % sizeof(int64_t) == 0);
    std::vector<Row> found(static_cast<size_t>(count));
    if (count) std::memcpy(found.data(), values, found.size() * sizeof(Row));
    return found;
}

}  // namespace

// `sizes`: messages, images, records, gates; words on the link, words of results.
EXPORT void* rowforge_replay_create(const int64_t* values, const uint64_t* words,
                                    const uint8_t* counts, const uint8_t* masks, int64_t mask_count,
                                    int drawn, const int64_t* memory, const int64_t* messages,
                                    const int64_t* images, const int64_t* records,
                                    const int64_t* gates, const int64_t* sizes) {
    Config config;
    std::memcpy(&config, values, sizeof(Config));
    Session session;
    session.messages = rows<Message>(messages, sizes[0]);
    session.images = rows<ReplayImage>(images, sizes[1]);
    session.records = rows<Record>(records, sizes[2]);
    session.gates = rows<Gate>(gates, sizes[3]);
    session.words = sizes[4];
    session.results = sizes[5];
    return new Replay(config, words, counts, {masks, mask_count, drawn}, memory, std::move(session));
}

EXPORT void rowforge_replay_destroy(void* handle) { delete static_cast<Replay*>(handle); }

// Runs for at most so many cycles; returns 1 when the host has all results, -1 if the program cannot
// run.
EXPORT int rowforge_replay_advance(void* handle, int64_t cycles) {
    Replay& replay = *static_cast<Replay*>(handle);
    const int64_t until = replay.machine.cycles + cycles;
    try {
        while (!replay.machine.done() && replay.machine.cycles < until) replay.machine.cycle();
    } catch (const std::exception& error) {
        replay.error = error.what();
        return -1;
    }
    return replay.machine.done();
}

// Why the program cannot run.
EXPORT const char* rowforge_replay_error(const void* handle) {
    return static_cast<const Replay*>(handle)->error.c_str();
}

EXPORT int64_t rowforge_replay_cycles(const void* handle) {
    return static_cast<const Replay*>(handle)->machine.cycles;
}

// How many RUNs have ended, counter blocks have come.
EXPORT void rowforge_replay_sizes(const void* handle, int64_t* sizes) {
    const Replay& replay = *static_cast<const Replay*>(handle);
    sizes[0] = int64_t(replay.machine.runs.size());
    sizes[1] = int64_t(replay.core.blocks.size());
}

// Copies the cycles of the RUNs, and the counter blocks one after another.
EXPORT void rowforge_replay_read(const void* handle, int64_t* runs, int64_t* blocks) {
    const Replay& replay = *static_cast<const Replay*>(handle);
    for (int64_t cycles : replay.machine.runs) *runs++ = cycles;
    for (const auto& block : replay.core.blocks) {
        std::memcpy(blocks, block.data(), sizeof(block));
        blocks += block.size();
    }
}
