// The ifmaps of a pass, pixel by pixel: for each pixel all slots, items and rows.
#include "machine.h"

// Send the channels of one pixel: those in a row of lanes from byte `at` on, or zeros.
static void send_pixel(u32 at, u32 exists) {
    const struct conv_constants *constants = &s.conv.constants;
    u32 flip = constants->is_signed << 7, zero = flip + constants->zero;
    u32 block = constants->plane_stride * 4 - 4;
    u32 channels = constants->channels;
    at &= BYTE_MASK;
    if (exists)
        s.events[COUNTER_GLB_IFMAP_WORDS] += channels;
    for (; channels; channels--) {
        u32 operand = 0;
        if (exists)
            operand = (buffer[at] ^ flip) - zero;
        at++;
        if (!(at & 3))
            at = (at + block) & BYTE_MASK;
        await(READY_IFMAP);
        set(REGISTER_IFMAP, operand);
    }
}

// Send one pixel, `pixel` pixels from the pass's first, of all items and rows of a slot.
static void send_slot(u32 number, u32 pixel) {
    const struct conv_constants *constants = &s.conv.constants;
    const struct conv_start *bases = &s.conv.bases;
    const struct slot *slot = &s.slots[number];
    tick_in_time();
    u32 column_exists = (u32)((i16)bases->x + slot->x + (i32)pixel) < constants->width;
    u32 item_at = bases->ifmap + slot->address + pixel, item_tag = 0;
    for (u32 items = constants->items; items; items--) {
        u32 outer_at = item_at, outer_row = slot->tag;
        for (u32 outer = slot->outer; outer; outer--) {
            u32 at = outer_at, row = outer_row;
            for (u32 inner = slot->inner; inner; inner--) {
                u32 row_exists = (u32)((i16)bases->y + (i32)row) < constants->height;
                set(REGISTER_IFMAP_TAG, number | (row + item_tag) << 16);
                send_pixel(at * 4 + slot->lane, column_exists & row_exists);
                at += slot->inner_words;
                row += slot->inner_step;
            }
            outer_at += slot->outer_words;
            outer_row += slot->outer_step;
        }
        item_at += constants->item_stride;
        item_tag += constants->item_tag;
    }
}

void send_ifmaps(void) {
    const struct conv_constants *constants = &s.conv.constants;
    u32 outer_pixel = 0;
    for (u32 outer = constants->pixel_outer; outer; outer--) {
        for (u32 inner = 0; inner < constants->pixel_inner; inner++) {
            for (u32 slot = 0; slot < s.pattern.slots; slot++)
                send_slot(slot, outer_pixel + inner);
        }
        outer_pixel += constants->pixel_step;
    }
}
