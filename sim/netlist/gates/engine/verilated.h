// In place of Verilator's header of this name: what sim/rtl_harness.cpp wants of it.
#pragma once

#include <cstdint>

class VerilatedContext {
  public:
    void randReset(int) {}
    void randSeed(int seed) { seed_ = static_cast<uint64_t>(seed); }
    uint64_t seed() const { return seed_; }

  private:
    uint64_t seed_ = 0;
};
