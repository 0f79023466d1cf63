// The model as a library: a program in, counter blocks out.
#include <cstring>
#include <memory>

#include "mesh.h"
#include "steady.h"
#include "trace.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

// A program on an accelerator, whatever that consists of.
struct Model {
    std::unique_ptr<Trace> trace;
    std::string error;

    virtual ~Model() = default;
    virtual bool done() const = 0;
    virtual int64_t cycles() const = 0;
    // Goes on to that cycle, or the end of the program; `skip`: takes known passes at once.
    virtual void run(int64_t until, bool skip) = 0;
    virtual int cores() const = 0;
    virtual const Accelerator& core(int number) const = 0;
    virtual void begin_trace(int64_t most) = 0;
};

struct Single final : Model {
    Accelerator machine;
    SteadyState steady{machine};

    template <class... Parts>
    explicit Single(Parts&&... parts) : machine(std::forward<Parts>(parts)...) {}
    bool done() const override { return machine.done(); }
    int64_t cycles() const override { return machine.cycles; }
    void run(int64_t until, bool skip) override {
        if (skip && !trace) steady.run(until);
        while (!machine.done() && machine.cycles < until) {
            const Accelerator::Events events = machine.cycle();
            if (trace) trace->observe(events);
        }
        if (machine.done() && trace) trace->finish();
    }
    int cores() const override { return 1; }
    const Accelerator& core(int) const override { return machine; }
    void begin_trace(int64_t most) override { trace = std::make_unique<Trace>(machine, most); }
};

struct Several final : Model {
    Mesh mesh;

    explicit Several(Mesh&& made) : mesh(std::move(made)) {}
    bool done() const override { return mesh.done(); }
    int64_t cycles() const override { return mesh.cycles; }
    void run(int64_t until, bool) override {
        while (!mesh.done() && mesh.cycles < until) mesh.cycle();
    }
    int cores() const override { return int(mesh.clusters.size()); }
    const Accelerator& core(int number) const override { return mesh.clusters[number]->core; }
    void begin_trace(int64_t) override {}  // refused before
};

Model& of(void* handle) { return *static_cast<Model*>(handle); }
const Model& of(const void* handle) { return *static_cast<const Model*>(handle); }

Config config_of(const int64_t* values) {
    Config config;
    std::memcpy(&config, values, sizeof(Config));
    return config;
}

std::vector<Gate> gates_of(const int64_t* gates, int64_t count) {
    std::vector<Gate> list;
    for (int64_t i = 0; i < count; ++i) list.push_back({gates[2 * i], gates[2 * i + 1]});
    return list;
}

}  // namespace

EXPORT void* rowforge_model_create(const int64_t* values, const uint64_t* words,
                                   const uint8_t* counts, const uint8_t* stored,
                                   int64_t total, const int64_t* gates,
                                   int64_t gate_count, const uint8_t* masks,
                                   int64_t mask_count, int drawn, int rate) {
    return static_cast<Model*>(new Single(config_of(values), words, counts, stored, total,
                                          gates_of(gates, gate_count),
                                          MaskStream{masks, mask_count, drawn}, rate));
}

// Several clusters, which `rowforge_mesh_add` adds one by one; of every route, its members.
EXPORT void* rowforge_mesh_create(const int64_t* values, int64_t total, const int64_t* gates,
                                  int64_t gate_count, const int64_t* routes, int64_t route_count,
                                  int rate) {
    std::vector<Route> list(route_count);
    std::memcpy(list.data(), routes, route_count * sizeof(Route));
    return static_cast<Model*>(new Several(
        Mesh(config_of(values), total, gates_of(gates, gate_count), std::move(list), rate)));
}

// The words that the next cluster takes, without the payloads that the model does not need.
EXPORT void rowforge_mesh_add(void* handle, const int64_t* values, const uint64_t* words,
                              const uint8_t* masks, int64_t mask_count, int drawn) {
    Mesh& mesh = static_cast<Several&>(of(handle)).mesh;
    MaskStream stream{masks, mask_count, drawn};
    stream.random.seed(1 + 9973 * unsigned(mesh.clusters.size()));
    mesh.add(config_of(values), words, stream);
}

EXPORT void rowforge_model_destroy(void* handle) { delete &of(handle); }

// Runs for about so many cycles, with `skip` taking known passes at once; returns 1 when the program
// has ended, -1 if it cannot run.
EXPORT int rowforge_model_advance(void* handle, int64_t cycles, int skip) {
    Model& model = of(handle);
    try {
        model.run(model.cycles() + cycles, skip);
    } catch (const std::exception& error) {
        model.error = error.what();
        return -1;
    }
    return model.done();
}

// Why the program cannot run.
EXPORT const char* rowforge_model_error(const void* handle) { return of(handle).error.c_str(); }

EXPORT int64_t rowforge_model_cycles(const void* handle) { return of(handle).cycles(); }

// Cycles that were simulated one by one; of clusters, the most.
EXPORT int64_t rowforge_model_stepped(const void* handle) {
    int64_t most = 0;
    for (int number = 0; number < of(handle).cores(); ++number)
        most = std::max(most, of(handle).core(number).stepped);
    return most;
}

// Counter blocks of each cluster.
EXPORT int64_t rowforge_model_blocks(const void* handle) {
    return int64_t(of(handle).core(0).blocks.size());
}

// Copies the counter blocks, one after another, cluster after cluster.
EXPORT void rowforge_model_read(const void* handle, int64_t* target) {
    for (int number = 0; number < of(handle).cores(); ++number)
        for (const auto& block : of(handle).core(number).blocks) {
            std::memcpy(target, block.data(), sizeof(block));
            target += block.size();
        }
}

// From now on every cycle is stepped through and noted, in at most about so many slices.
EXPORT void rowforge_model_trace(void* handle, int64_t most) { of(handle).begin_trace(most); }

// Sizes of what a trace has: slices, touches of the buffer, layers with PE-cycles.
EXPORT void rowforge_model_trace_sizes(const void* handle, int64_t* sizes) {
    const Trace& trace = *of(handle).trace;
    sizes[0] = int64_t(trace.slices.size());
    sizes[1] = int64_t(trace.touches.size());
    sizes[2] = int64_t(trace.layers.size());
}

// Copies them, as numbers in the order of their members; of PE-cycles the layers come first.
EXPORT void rowforge_model_trace_read(const void* handle, int64_t* slices, int64_t* touches,
                                      int64_t* layers, int64_t* running) {
    const Trace& trace = *of(handle).trace;
    std::copy_n(reinterpret_cast<const int64_t*>(trace.slices.data()),
                trace.slices.size() * sizeof(Slice) / sizeof(int64_t), slices);
    std::copy_n(reinterpret_cast<const int64_t*>(trace.touches.data()),
                trace.touches.size() * sizeof(Touch) / sizeof(int64_t), touches);
    std::copy(trace.layers.begin(), trace.layers.end(), layers);
    std::copy(trace.running.begin(), trace.running.end(), running);
}
