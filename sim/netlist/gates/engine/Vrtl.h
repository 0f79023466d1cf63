// A netlist of gates with the members that Verilator would give its module, so that
// sim/rtl_harness.cpp drives either. netlist_file.h, which the build writes, names the file.
#pragma once

#include <fstream>
#include <memory>

#include "gates.h"
#include "harness_ports.h"
#include "netlist_file.h"
#include "verilated.h"

class Vrtl {
  public:
    uint8_t clk = 0, rst = 0, IN_VALID = 0, IN_READY = 0, OUT_VALID = 0, OUT_READY = 0;
    uint64_t IN_PAYLOAD = 0, OUT_PAYLOAD = 0, violations = 0;

    // The simulation that was made last, for those who ask for its activity.
    static Gates*& newest() {
        static Gates* gates = nullptr;
        return gates;
    }

    Vrtl(VerilatedContext* context, const char*) {
        std::ifstream file(kNetlistFile, std::ios::binary);
        gates_ = std::make_unique<Gates>(file, context->seed());
        newest() = gates_.get();
    }

    ~Vrtl() {
        if (newest() == gates_.get()) newest() = nullptr;
    }

    void eval() {
        if (clk && !before_) gates_->rise();
        if (!clk) {
            gates_->set(Port::kReset, rst);
            gates_->set(Port::kInValid, IN_VALID);
            gates_->set(Port::kInPayload, IN_PAYLOAD);
            gates_->set(Port::kOutReady, OUT_READY);
            gates_->fall();
        }
        before_ = clk;
        IN_READY = static_cast<uint8_t>(gates_->get(Port::kInReady));
        OUT_VALID = static_cast<uint8_t>(gates_->get(Port::kOutValid));
        OUT_PAYLOAD = gates_->get(Port::kOutPayload);
        violations = gates_->refused();
    }

    void final() {}

  private:
    std::unique_ptr<Gates> gates_;
    uint8_t before_ = 0;
};
