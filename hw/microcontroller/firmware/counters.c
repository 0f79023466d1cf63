// The performance counters: events of the firmware and of the array, added up in 64 bits.
#include "machine.h"

// What a counter has counted so far, modulo 2^32.
static u32 count(u32 counter) {
    if (counter == COUNTER_CYCLES)
        return get(REGISTER_CYCLES);
    if (counter > COUNTER_GATED_MACS)
        return s.events[counter];
    u32 number = get(REGISTER_ACTIVITY + 4 * (counter - COUNTER_PE_ACTIVE_CYCLES));
    if (counter == COUNTER_MACS)
        number += get(REGISTER_ACTIVITY + 4 * (COUNTER_GATED_MACS - COUNTER_PE_ACTIVE_CYCLES));
    return number;
}

void tick(void) {
    for (u32 i = 0; i < COUNTERS; i++) {
        u32 now = count(i);
        u32 gain = now - s.seen[i];
        if (i - COUNTER_PE_ACTIVE_CYCLES <= COUNTER_GATED_MACS - COUNTER_PE_ACTIVE_CYCLES)
            gain &= ACTIVITY_MASK;
        s.seen[i] = now;
        s.sums[i][0] += gain;
        s.sums[i][1] += s.sums[i][0] < gain;
    }
}

SMALL void tick_in_time(void) {
    if (get(REGISTER_CYCLES) - s.seen[COUNTER_CYCLES] > ACTIVITY_CYCLES)
        tick();
}

SMALL void clear_counters(void) {
    tick();
    for (u32 i = 0; i < COUNTERS; i++)
        s.sums[i][0] = s.sums[i][1] = 0;
}

void send_counters(void) {
    tick();
    send_header(BLOCK_COUNTERS, 0, COUNTERS);
    for (u32 i = 0; i < COUNTERS; i++)
        send(s.sums[i][0], s.sums[i][1]);
    clear_counters();
}
