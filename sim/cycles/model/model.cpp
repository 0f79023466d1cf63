// The model as a library: a program in, counter blocks out.
#include <cstring>
#include <memory>

#include "accelerator.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void* rowforge_model_create(const int64_t* values, const uint64_t* words, int64_t total,
                                   const int64_t* gates, int64_t gate_count) {
    Config config;
    static_assert(sizeof(Config) % sizeof(int64_t) == 0);
    std::memcpy(&config, values, sizeof(Config));
    std::vector<Gate> list;
    for (int64_t i = 0; i < gate_count; ++i) list.push_back({gates[2 * i], gates[2 * i + 1]});
    return new Accelerator(config, words, total, std::move(list));
}

EXPORT void rowforge_model_destroy(void* handle) { delete static_cast<Accelerator*>(handle); }

// Runs for at most so many cycles; returns 1 when the program has ended.
EXPORT int rowforge_model_advance(void* handle, int64_t cycles) {
    auto& model = *static_cast<Accelerator*>(handle);
    for (int64_t i = 0; i < cycles && !model.done(); ++i) model.cycle();
    return model.done();
}

EXPORT int64_t rowforge_model_cycles(const void* handle) {
    return static_cast<const Accelerator*>(handle)->cycles;
}

EXPORT int64_t rowforge_model_blocks(const void* handle) {
    return int64_t(static_cast<const Accelerator*>(handle)->blocks().size());
}

// Copies the counter blocks, one behind the other.
EXPORT void rowforge_model_read(const void* handle, int64_t* target) {
    for (const auto& block : static_cast<const Accelerator*>(handle)->blocks()) {
        std::memcpy(target, block.data(), sizeof(block));
        target += block.size();
    }
}
