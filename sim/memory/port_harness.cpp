// Drives the memory port of a design that Verilator has translated: bursts in, words compared with
// a plain array, and the port's handshakes with the cycle model of the memory, cycle by cycle.

#include <cstdint>
#include <memory>
#include <vector>

#include "Vrtl.h"
#include "memory.h"
#include "verilated.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr int kClients = 3;  // of the arbiter before the memory

struct Random {
    uint64_t state = 0;
    uint64_t next() {  // SplitMix64
        uint64_t z = (state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    bool chance(uint64_t thousandths) { return next() % 1000 < thousandths; }
    uint64_t below(uint64_t n) { return next() % n; }
};

struct Burst {
    uint64_t address = 0;
    int beats = 1;
    bool write = false;
};

// How bursts are drawn; mirrored in sim/memory/bench.py.
struct Traffic {
    int64_t bursts;      // how many
    int64_t beats;       // of each; 0: any number, short ones more often
    int64_t areas;       // places near which they lie; 0: anywhere
    int64_t sequential;  // thousandths that go on where the last one ended
    int64_t writes;      // thousandths that write
    int64_t pauses;      // thousandths of cycles without a new request
    int64_t stalls;      // thousandths of cycles without a new word to write
    int64_t delay;       // cycles before the first request
    int64_t shared;      // 1: from three clients of an arbiter, each in a third of the memory
};

struct Outcome {
    int64_t cycles, words, mismatches, differences, violations, kinds, activates, refreshes;
    int64_t longest;     // cycles that a request waited to be accepted
};

struct Model {
    int64_t kind = MemoryKind::NONE;
    RamModel ram;
    SdramModel sdram;
    bool is_ram() const { return kind == MemoryKind::RAM; }
    bool request_ready() const { return is_ram() ? ram.request_ready() : sdram.request_ready(); }
    bool write_ready() const { return is_ram() ? ram.write_ready() : sdram.write_ready(); }
    bool read_valid() const { return is_ram() ? ram.read_valid() : sdram.read_valid(); }
    void clock(const MemoryAsk& ask) { is_ram() ? ram.clock(ask) : sdram.clock(ask); }
};

// The signals of one port.
struct Port {
    CData *request_valid, *request_ready;
    IData* request_payload;
    CData *write_valid, *write_ready;
    QData* write_payload;
    CData *read_valid, *read_ready;
    QData* read_payload;
};

#define PORT(name)                                                                             \
    Port {                                                                                     \
        &top->name##___05Frequest___05Fvalid, &top->name##___05Frequest___05Fready,            \
            &top->name##___05Frequest___05Fpayload, &top->name##___05Fwrite___05Fvalid,        \
            &top->name##___05Fwrite___05Fready, &top->name##___05Fwrite___05Fpayload,          \
            &top->name##___05Fread___05Fvalid, &top->name##___05Fread___05Fready,              \
            &top->name##___05Fread___05Fpayload                                                \
    }

// One who asks, and what it waits for.
struct Client {
    Port port;
    Burst burst;
    MemoryAsk ask;
    std::vector<uint64_t> writes, expected;
    std::vector<bool> compared;
    size_t written = 0, read = 0;
    int64_t waited = 0;
    bool busy() const {
        return ask.request || written < writes.size() || read < expected.size();
    }
    void forget() {
        if (written == writes.size() && !ask.word) writes.clear(), written = 0;
        if (read == expected.size()) expected.clear(), compared.clear(), read = 0;
    }
};

struct Bench {
    VerilatedContext context;
    std::unique_ptr<Vrtl> top;
    Model model;
    MemoryArbiterModel<kClients> arbiter;
    Random random;
    int port_bits;
    std::vector<Port> ports;
    std::vector<uint64_t> words;
    std::vector<bool> known;
    int64_t cycles = 0;

    Bench(int which, int bits, int port, uint64_t seed, const int64_t* timing) : port_bits(port) {
        context.randReset(2);
        context.randSeed(static_cast<int>(seed & 0x7fffffff));
        top = std::make_unique<Vrtl>(&context, "rtl");
        random.state = seed;
        words.resize(uint64_t{1} << bits);
        known.resize(uint64_t{1} << bits);
        model.kind = timing[0];
        if (model.kind == MemoryKind::RAM) model.ram.timing = RamTiming::of(timing + 1);
        if (model.kind == MemoryKind::SDRAM) model.sdram.timing = SdramTiming::of(timing + 1);
        ports = {PORT(port), PORT(clients___05F0), PORT(clients___05F1), PORT(clients___05F2)};
        for (const Port& each : ports) {
            *each.request_valid = *each.write_valid = 0;
            *each.read_ready = 1;
        }
        top->which = which;
        top->shared = 0;
        top->rst = 1;
        for (int i = 0; i < 4; ++i) half(0), half(1);
        top->rst = 0;
    }

    ~Bench() { top->final(); }

    void half(int clk) {
        top->clk = clk;
        top->eval();
    }

    // Of the `share`-th part of the memory.
    Burst draw(const Traffic& traffic, const Burst& last, const std::vector<uint64_t>& areas,
               uint64_t share, uint64_t size) {
        Burst burst;
        burst.beats = int(traffic.beats);
        if (!burst.beats) burst.beats = 1 + int(random.below(random.chance(500) ? 64 : 8));
        burst.write = random.chance(uint64_t(traffic.writes));
        burst.address = random.below(size);
        if (!areas.empty()) burst.address = areas[random.below(areas.size())] + random.below(256);
        if (random.chance(uint64_t(traffic.sequential))) burst.address = last.address + last.beats;
        burst.address %= size;
        if (burst.address + burst.beats > size) burst.address = size - burst.beats;
        burst.address += share * size;
        return burst;
    }

    void ask(Client& client) {
        const Burst& burst = client.burst;
        client.ask.request = true;
        client.ask.address = burst.address;
        client.ask.length = burst.beats - 1;
        client.ask.write = burst.write;
        client.waited = 0;
        for (uint64_t at = burst.address; at < burst.address + burst.beats; ++at) {
            if (burst.write) {
                words[at] = random.next();
                known[at] = true;
                client.writes.push_back(words[at]);
            } else {
                client.expected.push_back(words[at]);
                client.compared.push_back(known[at]);
            }
        }
    }

    void drive(const Client& client) {
        const MemoryAsk& ask = client.ask;
        *client.port.request_valid = ask.request;
        *client.port.request_payload = IData(ask.address | uint64_t(ask.length) << port_bits |
                                             uint64_t(ask.write) << (port_bits + 6));
        *client.port.write_valid = ask.word;
        *client.port.write_payload = ask.word ? client.writes[client.written] : random.next();
    }

    // What the port answers before the edge; tells whether something moved.
    bool look(Client& client, Outcome& out) {
        bool moved = false;
        if (*client.port.read_valid) {
            if (client.read < client.expected.size()) {
                if (client.compared[client.read] &&
                    client.expected[client.read] != *client.port.read_payload)
                    ++out.mismatches;
                ++client.read;
                moved = true;
            } else {
                ++out.mismatches;  // and nothing that has been waited for
            }
        }
        if (*client.port.write_ready && client.ask.word) {
            ++client.written;
            client.ask.word = false;
            moved = true;
        }
        if (client.ask.request) {
            if (++client.waited > out.longest) out.longest = client.waited;
            if (*client.port.request_ready) client.ask.request = false, moved = true;
        }
        client.forget();
        return moved;
    }

    // Whether the handshakes of all clients are those of the models, which then go on.
    bool agrees(const std::vector<Client>& clients, bool shared) {
        if (!model.kind) return true;
        std::vector<MemoryAsk> asks;
        for (const Client& client : clients) asks.push_back(client.ask);
        const bool ready = model.request_ready(), takes = model.write_ready();
        const bool gives = model.read_valid();
        const MemoryAsk asked = shared ? arbiter.asked(asks.data()) : asks[0];
        bool same = true;
        for (int i = 0; i < int(clients.size()); ++i) {
            const Port& port = clients[i].port;
            same &= *port.request_ready == (shared ? arbiter.accepts(i, asked, ready) : ready);
            same &= *port.write_ready == (shared ? arbiter.takes(i, takes) : takes);
            same &= *port.read_valid == (shared ? arbiter.gives(i, gives) : gives);
        }
        if (shared) arbiter.clock(asks.data(), ready, takes, gives);
        model.clock(asked);
        return same;
    }

    Outcome run(const Traffic& traffic) {
        Outcome out = {};
        const int64_t began = cycles, activates = top->activates, refreshes = top->refreshes;
        const bool shared = traffic.shared != 0;
        top->shared = shared;
        std::vector<Client> clients;
        for (int i = 0; i < (shared ? kClients : 1); ++i)
            clients.push_back(Client{ports[shared ? i + 1 : 0]});
        const uint64_t size = words.size() / clients.size();
        std::vector<uint64_t> areas;
        for (int64_t i = 0; i < traffic.areas; ++i) areas.push_back(random.below(words.size()));
        int64_t asked = 0, idle = 0;
        bool busy = true;
        while (busy) {
            if (++idle > 1'000'000) { ++out.mismatches; break; }  // it hangs
            for (uint64_t i = 0; i < clients.size(); ++i) {
                Client& client = clients[i];
                if (!client.ask.request && asked < traffic.bursts &&
                    cycles - began >= traffic.delay && !random.chance(uint64_t(traffic.pauses))) {
                    client.burst = draw(traffic, client.burst, areas, i, size);
                    ask(client);
                    ++asked;
                    out.words += client.burst.beats;
                }
                if (!client.ask.word)
                    client.ask.word = client.written < client.writes.size() &&
                                      !random.chance(uint64_t(traffic.stalls));
                drive(client);
            }
            half(0);
            out.differences += !agrees(clients, shared);
            busy = asked < traffic.bursts;
            for (Client& client : clients) {
                if (look(client, out)) idle = 0;
                busy |= client.busy();
            }
            half(1);
            ++cycles;
        }
        out.cycles = cycles - began;
        out.violations = top->violations;
        out.kinds = top->kinds;
        out.activates = top->activates - activates;
        out.refreshes = top->refreshes - refreshes;
        return out;
    }
};

}  // namespace

// `bits` of an address of the memory at the place `which`, `port` of one on the port of them all.
EXPORT void* rowforge_memory_create(int which, int bits, int port, uint64_t seed,
                                    const int64_t* timing) {
    return new Bench(which, bits, port, seed, timing);
}

EXPORT void rowforge_memory_destroy(void* handle) { delete static_cast<Bench*>(handle); }

EXPORT void rowforge_memory_run(void* handle, const Traffic* traffic, Outcome* outcome) {
    *outcome = static_cast<Bench*>(handle)->run(*traffic);
}
