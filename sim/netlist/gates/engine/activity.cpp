// How often each net of the newest simulation changed: what Python asks besides the harness.

#include <algorithm>

#include "Vrtl.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void rowforge_activity_clear() { Vrtl::newest()->clear(); }

EXPORT void rowforge_activity_read(uint64_t* changes, uint64_t* ones) {
    const auto& gates = *Vrtl::newest();
    std::copy(gates.changes().begin(), gates.changes().end(), changes);
    std::copy(gates.ones().begin(), gates.ones().end(), ones);
}
