// The command and result streams, and all waiting.
#include "machine.h"

#ifdef HOST
void leave(void);
#endif

#if LINK_WIDTH == 8
typedef u8 beat;
#elif LINK_WIDTH == 16
typedef u16 beat;
#else
typedef u32 beat;
#endif

SMALL void send(u32 low, u32 high) {
    u32 word[2] = {low, high};
    for (const beat *next = (const beat *)word; next < (const beat *)(word + 2); next++) {
        while (!(get(REGISTER_STATUS) & READY_RESULT)) {
        }
        set(REGISTER_RESULT, *next);
    }
    s.events[COUNTER_LINK_OUT_WORDS]++;
}

void send_header(u32 block, u32 status, u32 length) {
    send(block << RESULT_BLOCK | status << RESULT_STATUS | s.header.tag << RESULT_TAG, length);
}

void fail_wide(u32 status, u32 low, u32 high) {
    if (status != STATUS_OK)
        set(REGISTER_RESET, 1);
    send_header(BLOCK_STATUS, status, 1);
    send(low, high);
    s.begun = 0;
    restart();
}

SMALL void fail(u32 status, u32 value) { fail_wide(status, value, 0); }

SMALL void wait(u32 ready) {
    u32 since = get(REGISTER_CYCLES);
    while (((get(REGISTER_STATUS) | s.drained) & ready) != ready) {
        tick_in_time();
        if (serve_psums())
            since = get(REGISTER_CYCLES);
        else if (get(REGISTER_CYCLES) - since > WATCHDOG)
            fail(STATUS_WATCHDOG, s.header.opcode);
    }
}

SMALL void take(u32 *word) {
    for (beat *next = (beat *)word; next < (beat *)(word + 2); next++) {
        await(READY_COMMAND);
        *next = get(REGISTER_COMMAND);
    }
    s.events[COUNTER_LINK_IN_WORDS]++;
}

void take_patiently(u32 *word) {
    while (!(get(REGISTER_STATUS) & READY_COMMAND)) {
#ifdef HOST
        leave();
#endif
        tick_in_time();
    }
    take(word);
}

const u32 *unpack(const u8 *layout, const u32 *words, void *records, u32 count) {
    u32 *to = records;
    for (; count; count--) {
        u32 position = 0;
        for (const u8 *next = layout; *next; next++) {
            u32 width = *next & LAYOUT_WIDTH;
            if (!(*next & LAYOUT_GAP)) {
                const u32 *from = words + (position >> 5);
                u32 shift = position & 31;
                u32 value = from[0] >> shift;
                if (shift + width > 32)
                    value |= from[1] << (32 - shift);
                shift = 32 - width;
                value <<= shift;
                *to++ = *next & LAYOUT_SIGNED ? (u32)((i32)value >> shift) : value >> shift;
            }
            position += width;
        }
        words += (position + 63) >> 6 << 1;
    }
    return words;
}
