// The model as a library: a program in, counter blocks out.
#include <cstring>
#include <memory>

#include "steady.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

struct Model {
    Accelerator machine;
    SteadyState steady{machine};
    std::string error;
};

}  // namespace

EXPORT void* rowforge_model_create(const int64_t* values, const uint64_t* words,
                                   const uint8_t* counts, const uint8_t* stored,
                                   int64_t total, const int64_t* gates,
                                   int64_t gate_count, const uint8_t* masks,
                                   int64_t mask_count, int drawn, int rate) {
    Config config;
    std::memcpy(&config, values, sizeof(Config));
    std::vector<Gate> list;
    for (int64_t i = 0; i < gate_count; ++i) list.push_back({gates[2 * i], gates[2 * i + 1]});
    return new Model{{config, words, counts, stored, total, std::move(list), {masks, mask_count, drawn},
                      rate}};
}

EXPORT void rowforge_model_destroy(void* handle) { delete static_cast<Model*>(handle); }

// Runs for about so many cycles, with `skip` taking known passes at once; returns 1 when the program
// has ended, -1 if it cannot run.
EXPORT int rowforge_model_advance(void* handle, int64_t cycles, int skip) {
    Model& model = *static_cast<Model*>(handle);
    const int64_t until = model.machine.cycles + cycles;
    try {
        if (skip) model.steady.run(until);
        while (!model.machine.done() && model.machine.cycles < until) model.machine.cycle();
    } catch (const std::exception& error) {
        model.error = error.what();
        return -1;
    }
    return model.machine.done();
}

// Why the program cannot run.
EXPORT const char* rowforge_model_error(const void* handle) {
    return static_cast<const Model*>(handle)->error.c_str();
}

EXPORT int64_t rowforge_model_cycles(const void* handle) {
    return static_cast<const Model*>(handle)->machine.cycles;
}

EXPORT int64_t rowforge_model_stepped(const void* handle) {
    return static_cast<const Model*>(handle)->machine.stepped;
}

EXPORT int64_t rowforge_model_blocks(const void* handle) {
    return int64_t(static_cast<const Model*>(handle)->machine.blocks.size());
}

// Copies the counter blocks, one after another.
EXPORT void rowforge_model_read(const void* handle, int64_t* target) {
    for (const auto& block : static_cast<const Model*>(handle)->machine.blocks) {
        std::memcpy(target, block.data(), sizeof(block));
        target += block.size();
    }
}
