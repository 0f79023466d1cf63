// The driver of streams for a design that Verilator counts coverage in.

#include "rtl_harness.cpp"
#include "verilated_cov.h"

// Counts begin anew: what came before was the way out of random registers.
EXPORT void rowforge_clear_coverage(void* handle) {
    static_cast<Engine*>(handle)->context.coveragep()->zero();
}

EXPORT void rowforge_write_coverage(void* handle, const char* path) {
    static_cast<Engine*>(handle)->context.coveragep()->write(path);
}
