// A netlist of gates, flip-flops, clock gates and memories, settled after every edge of the clock.
//
// Only what a change reaches is evaluated: gates lie in an order in which each comes after those
// that it reads, and a bit for each says that one of its inputs has changed. Registers and words
// of memories start at random. The clock gates' latches are open while the clock is low.
#pragma once

#include <cstdint>
#include <istream>
#include <stdexcept>
#include <vector>

enum class Port { kReset, kInValid, kInPayload, kOutReady, kInReady, kOutValid, kOutPayload };
constexpr int kPorts = 7;

using Net = int32_t;
constexpr Net kNone = -1;
constexpr Net kClock = 2;  // nets 0 and 1 are the constants
constexpr int kInputs = 6;

struct Gate {
    Net output;
    Net inputs[kInputs];  // net 0 where there are fewer
    uint64_t table;
};

struct Flop {
    Net next, output, inverse;  // an output that is not there: kNone
};

// Flip-flops of one clock: the clock itself, or a gated one.
struct Domain {
    Net enable, clock;  // of the clock itself: kNone, kClock
    bool open = true;
    std::vector<Flop> flops;
};

struct MemoryPort {
    Net active, write, read;
    std::vector<Net> address, data, mask, output;
    bool reads = false, writes = false;  // at this edge
    uint64_t place = 0;
    std::vector<uint8_t> taken, masks;
};

struct Memory {
    int64_t depth, width;
    bool falling;  // works at the falling edge, and forgets what it gave at the rising one
    std::vector<MemoryPort> ports;
    std::vector<uint8_t> bits;
};

class Gates {
  public:
    Gates(std::istream& file, uint64_t seed) : random_(seed) {
        file.exceptions(std::ios::failbit | std::ios::badbit);
        read_nets(file);
        read_gates(file);
        read_domains(file);
        read_memories(file);
        start();
    }

    // Inputs change while the clock is low: `set` before `fall`.
    void set(Port port, uint64_t value) {
        for (Net net : ports_[static_cast<int>(port)]) {
            change(net, value & 1);
            value >>= 1;
        }
    }

    uint64_t get(Port port) const {
        uint64_t value = 0;
        const auto& nets = ports_[static_cast<int>(port)];
        for (size_t i = 0; i < nets.size(); ++i) value |= uint64_t{values_[nets[i]]} << i;
        return value;
    }

    void rise() {
        for (auto& memory : memories_) sample(memory);
        held_.clear();
        for (auto& domain : domains_) {
            if (domain.enable != kNone) domain.open = values_[domain.enable];
            if (!domain.open) continue;
            for (const auto& flop : domain.flops) held_.push_back(values_[flop.next]);
        }
        auto held = held_.begin();
        for (auto& domain : domains_) {
            if (!domain.open) continue;
            change(domain.clock, 1);
            for (const auto& flop : domain.flops) load(flop, *held++);
        }
        for (auto& memory : memories_) {
            if (!memory.falling) act(memory);
            if (memory.falling) forget(memory);
        }
        settle();
    }

    // The latches follow their enables until the clock rises, which takes what is there then.
    void fall() {
        if (values_[kClock]) {
            for (auto& domain : domains_) change(domain.clock, 0);
            for (auto& memory : memories_) {
                if (memory.falling) act(memory);
            }
        }
        settle();
    }

    // Uses of memories that their models do not know.
    uint64_t refused() const { return refused_; }
    const std::vector<uint64_t>& changes() const { return changes_; }
    const std::vector<uint64_t>& ones() const { return ones_; }
    void clear() {
        changes_.assign(changes_.size(), 0);
        ones_.assign(ones_.size(), 0);
    }

  private:
    std::vector<uint8_t> values_;
    std::vector<uint64_t> changes_;
    std::vector<uint64_t> ones_;  // of the watched nets, in their order: half cycles at 1
    std::vector<Net> watched_;
    std::vector<Net> ports_[kPorts];
    std::vector<Gate> gates_;
    std::vector<int32_t> first_reader_, readers_;  // those of net n: from first_reader_[n] on
    std::vector<uint64_t> dirty_;
    std::vector<Domain> domains_;
    std::vector<Memory> memories_;
    std::vector<uint8_t> held_;
    uint64_t refused_ = 0, random_;

    uint64_t random() {  // SplitMix64
        uint64_t z = (random_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    static int64_t number(std::istream& file) {
        int64_t value = 0;
        file.read(reinterpret_cast<char*>(&value), sizeof value);
        return value;
    }

    static std::vector<Net> nets(std::istream& file) {
        std::vector<Net> found(static_cast<size_t>(number(file)));
        for (auto& net : found) net = static_cast<Net>(number(file));
        return found;
    }

    void read_nets(std::istream& file) {
        const auto count = static_cast<size_t>(number(file));
        values_.assign(count, 0);
        changes_.assign(count, 0);
        for (auto& port : ports_) port = nets(file);
        watched_ = nets(file);
        ones_.assign(watched_.size(), 0);
    }

    void read_gates(std::istream& file) {
        gates_.resize(static_cast<size_t>(number(file)));
        dirty_.assign(gates_.size() / 64 + 1, 0);
        first_reader_.assign(values_.size() + 1, 0);
        for (auto& gate : gates_) {
            gate.output = static_cast<Net>(number(file));
            for (auto& input : gate.inputs) {
                input = static_cast<Net>(number(file));
                ++first_reader_[input + 1];
            }
            gate.table = static_cast<uint64_t>(number(file));
        }
        for (size_t net = 0; net < values_.size(); ++net) {
            first_reader_[net + 1] += first_reader_[net];
        }
        readers_.resize(gates_.size() * kInputs);
        auto at = first_reader_;
        for (size_t g = 0; g < gates_.size(); ++g) {
            for (Net input : gates_[g].inputs) readers_[at[input]++] = static_cast<int32_t>(g);
        }
    }

    void read_domains(std::istream& file) {
        domains_.resize(static_cast<size_t>(number(file)));
        for (auto& domain : domains_) {
            domain.enable = static_cast<Net>(number(file));
            domain.clock = static_cast<Net>(number(file));
            domain.flops.resize(static_cast<size_t>(number(file)));
            for (auto& flop : domain.flops) {
                flop.next = static_cast<Net>(number(file));
                flop.output = static_cast<Net>(number(file));
                flop.inverse = static_cast<Net>(number(file));
            }
        }
    }

    void read_memories(std::istream& file) {
        memories_.resize(static_cast<size_t>(number(file)));
        for (auto& memory : memories_) {
            memory.depth = number(file);
            memory.width = number(file);
            memory.falling = number(file) != 0;
            memory.bits.resize(static_cast<size_t>(memory.depth * memory.width));
            for (auto& bit : memory.bits) bit = random() & 1;
            memory.ports.resize(static_cast<size_t>(number(file)));
            for (auto& port : memory.ports) {
                port.active = static_cast<Net>(number(file));
                port.write = static_cast<Net>(number(file));
                port.read = static_cast<Net>(number(file));
                port.address = nets(file);
                port.data = nets(file);
                port.mask = nets(file);
                port.output = nets(file);
            }
        }
    }

    void start() {
        values_[1] = 1;
        for (auto& domain : domains_) {
            for (const auto& flop : domain.flops) load(flop, random() & 1);
        }
        for (size_t g = 0; g < gates_.size(); ++g) dirty_[g / 64] |= uint64_t{1} << g % 64;
        settle();
        clear();
    }

    void change(Net net, uint8_t value) {
        if (values_[net] == value) return;
        values_[net] = value;
        ++changes_[net];
        for (int32_t r = first_reader_[net]; r < first_reader_[net + 1]; ++r) {
            dirty_[readers_[r] / 64] |= uint64_t{1} << readers_[r] % 64;
        }
    }

    void load(const Flop& flop, uint8_t value) {
        if (flop.output != kNone) change(flop.output, value);
        if (flop.inverse != kNone) change(flop.inverse, value ^ 1);
    }

    // A gate that is reached anew lies behind the one that reached it: one way through is enough.
    void settle() {
        for (size_t word = 0; word < dirty_.size(); ++word) {
            while (dirty_[word] != 0) {
                const auto bit = static_cast<size_t>(__builtin_ctzll(dirty_[word]));
                dirty_[word] &= dirty_[word] - 1;
                const Gate& gate = gates_[word * 64 + bit];
                uint64_t index = 0;
                for (int i = 0; i < kInputs; ++i) index |= uint64_t{values_[gate.inputs[i]]} << i;
                change(gate.output, gate.table >> index & 1);
            }
        }
        for (size_t i = 0; i < watched_.size(); ++i) ones_[i] += values_[watched_[i]];
    }

    // What a memory is asked for at the rising edge.
    void sample(Memory& memory) {
        bool first = true;
        for (auto& port : memory.ports) {
            const bool active = values_[port.active] != 0;
            port.reads = active && values_[port.read];
            port.writes = active && values_[port.write];
            if (port.reads && port.writes) ++refused_;
            if (port.writes && !first) ++refused_;
            first = false;
            port.place = 0;
            for (size_t i = 0; i < port.address.size(); ++i) {
                port.place |= uint64_t{values_[port.address[i]]} << i;
            }
            if (!port.writes) continue;
            port.taken.clear();
            port.masks.clear();
            for (Net net : port.data) port.taken.push_back(values_[net]);
            for (Net net : port.mask) port.masks.push_back(values_[net]);
        }
    }

    // All ports read before one writes.
    void act(Memory& memory) {
        const auto width = static_cast<size_t>(memory.width);
        for (auto& port : memory.ports) {
            if (!port.reads) continue;
            const uint8_t* word = &memory.bits[port.place * width];
            for (size_t i = 0; i < port.output.size(); ++i) {
                if (port.output[i] != kNone) change(port.output[i], word[i]);
            }
        }
        for (auto& port : memory.ports) {
            if (!port.writes) continue;
            uint8_t* word = &memory.bits[port.place * width];
            for (size_t i = 0; i < width; ++i) {
                if (port.masks[i]) word[i] = port.taken[i];
            }
        }
    }

    void forget(Memory& memory) {
        for (auto& port : memory.ports) {
            for (Net net : port.output) {
                if (net != kNone) change(net, random() & 1);
            }
        }
    }
};
