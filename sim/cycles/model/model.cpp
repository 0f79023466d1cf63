// The model as a library: a program in, counter blocks out.
#include <cstring>
#include <memory>

#include "steady.h"
#include "trace.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

struct Model {
    Accelerator machine;
    SteadyState steady{machine};
    std::unique_ptr<Trace> trace;
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
        if (skip && !model.trace) model.steady.run(until);
        while (!model.machine.done() && model.machine.cycles < until) {
            const Accelerator::Events events = model.machine.cycle();
            if (model.trace) model.trace->observe(events);
        }
        if (model.machine.done() && model.trace) model.trace->finish();
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

// From now on every cycle is stepped through and noted, in at most about so many slices.
EXPORT void rowforge_model_trace(void* handle, int64_t most) {
    Model& model = *static_cast<Model*>(handle);
    model.trace = std::make_unique<Trace>(model.machine, most);
}

// Sizes of what a trace has: slices, touches of the buffer, layers with PE-cycles.
EXPORT void rowforge_model_trace_sizes(const void* handle, int64_t* sizes) {
    const Trace& trace = *static_cast<const Model*>(handle)->trace;
    sizes[0] = int64_t(trace.slices.size());
    sizes[1] = int64_t(trace.touches.size());
    sizes[2] = int64_t(trace.layers.size());
}

// Copies them, as numbers in the order of their members; of PE-cycles the layers come first.
EXPORT void rowforge_model_trace_read(const void* handle, int64_t* slices, int64_t* touches,
                                      int64_t* layers, int64_t* running) {
    const Trace& trace = *static_cast<const Model*>(handle)->trace;
    std::copy_n(reinterpret_cast<const int64_t*>(trace.slices.data()),
                trace.slices.size() * sizeof(Slice) / sizeof(int64_t), slices);
    std::copy_n(reinterpret_cast<const int64_t*>(trace.touches.data()),
                trace.touches.size() * sizeof(Touch) / sizeof(int64_t), touches);
    std::copy(trace.layers.begin(), trace.layers.end(), layers);
    std::copy(trace.running.begin(), trace.running.end(), running);
}
