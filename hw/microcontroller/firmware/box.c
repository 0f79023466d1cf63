// LOAD and STORE: a box of buffer words, two of them in a link word.
#include "machine.h"

void move_box(u32 store) {
    const struct region *region = &s.now.region;
    u32 left = region->words; // link words to come
    u32 word[2] = {0, 0};
    u32 half = 0;
    u32 bytes = 0; // of `word` that no lane has yet
    u32 lanes = region->channels ? region->channels : 4;
    u32 status = STATUS_BAD_LENGTH, value = OPCODE_STORE; // of a STORE that ends badly
    if (store)
        send_header(BLOCK_DATA, 0, left);
    u32 plane = region->address;
    for (u32 planes = region->planes; planes; planes--, plane += region->plane_stride) {
        u32 row = plane;
        for (u32 rows = region->rows; rows; rows--, row += region->row_stride) {
            for (u32 x = 0; x < region->run; x++) {
                u32 address = (row + x) & ADDRESS_MASK;
                u32 *at = (u32 *)buffer + address;
                if (address >= ACTIVATION_WORDS) {
                    status = STATUS_BAD_ADDRESS;
                    value = address;
                    goto bad;
                }
                if (!store) {
                    *at = 0;
                    for (u8 *lane = (u8 *)at; lane < (u8 *)at + lanes; lane++) {
                        if (!bytes) {
                            if (!left)
                                goto bad; // the box is larger than announced
                            take(word);
                            left--;
                            bytes = 8;
                        }
                        *lane = ((u8 *)word)[8 - bytes--];
                    }
                    continue;
                }
                if (!half && !left)
                    goto bad;
                word[half] = *at;
                if (half) {
                    send(word[0], word[1]);
                    left--;
                }
                half ^= 1;
            }
        }
    }
    if (store && half) {
        send(word[0], 0);
        left--;
    }
    if (!left)
        return;
bad:
    if (!store)
        fail(status, status == STATUS_BAD_ADDRESS ? value : left);
    for (; left; left--) // a block is as long as its header says
        send(0, 0);
    fail(status, value);
}
