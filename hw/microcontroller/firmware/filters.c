// The filters of a pass, from the stream, from the weight memory or from the global buffer.
#include "machine.h"

#define BEATS_PER_WORD (8 / NOC_FILTER)
#define FROM_BUFFER (BUFFER_FILTERS & constants->buffered)

void announce_filters(void) {
    const struct conv_constants *constants = &s.conv.constants;
    u32 beats = s.pattern.filters * s.columns.groups * constants->filter_beats;
    u32 words = (beats + BEATS_PER_WORD - 1) / BEATS_PER_WORD;
    if (FROM_BUFFER) // there the filters of each PE begin with a new word
        words = s.pattern.filters * s.columns.groups *
                ((constants->filter_beats + BEATS_PER_WORD - 1) / BEATS_PER_WORD);
    s.events[COUNTER_FILTER_WORDS] += words;
    if (constants->resident | FROM_BUFFER)
        return;
    if (words > s.left)
        fail(STATUS_BAD_LENGTH, s.header.length);
    s.left -= words;
}

void send_filters(void) {
    const struct conv_constants *constants = &s.conv.constants;
    u32 filters = s.pattern.filters, groups = s.columns.groups;
    u32 first = s.conv.bases.weights & WEIGHTS_MASK;
    const u32 *memory = weights[first];
    u32 unit = first + s.pattern.first_unit + s.columns.first_group; // buffer word, of a row tag
    u32 left = s.pattern.turn; // row tags up to a jump
#if WEIGHT_ZERO_POINTS
    u32 flip = constants->weight_signed << 7, zero = flip + constants->weight_zero;
#endif
    u32 word[2], part = 0, bits = 0; // the half word under way
    u32 last = LAST_FILTER_BEAT;
    __asm__("" : "+r"(last)); // or it becomes a shift by 31, which takes long
    for (u32 fid = 0; fid < filters; fid++) {
        u32 place = unit;
        for (u32 tid = 0; tid < groups; tid++) {
            tick_in_time();
            if (FROM_BUFFER) {
                memory = (const u32 *)buffer + (place & ADDRESS_MASK);
                place += constants->group_stride;
                part = 0;
            }
            set(REGISTER_FILTER_TAG, fid | tid << 16);
            for (u32 beats = constants->filter_beats; beats; beats--) {
                if (part == 0) {
                    part = BEATS_PER_WORD;
                    if (constants->resident | FROM_BUFFER) {
                        word[0] = *memory++;
                        word[1] = *memory++;
                    } else {
                        take(word);
                    }
                    bits = word[0];
                } else if (part == BEATS_PER_WORD / 2) {
                    bits = word[1];
                }
                part--;
                u32 beat = beats == 1 ? last : 0;
                for (u32 i = 0; i < NOC_FILTER * 12; i += 12) {
                    u32 weight = bits & 0xff;
#if WEIGHT_ZERO_POINTS
                    weight = ((weight ^ flip) - zero) & 0xfff;
#endif
                    beat |= weight << i;
                    bits >>= 8;
                }
                await(READY_FILTER);
                set(REGISTER_FILTER, beat);
            }
            if (FROM_BUFFER && tid == 0)
                unit = memory - (const u32 *)buffer;
        }
        if (--left == 0) {
            unit += constants->unit_jump;
            left = s.pattern.period;
        }
    }
}
