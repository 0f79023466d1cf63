/* COBS as the runtime computes it: `stuff` adds it, `stuff undo` takes it away.
 *
 * Standard input and output hold rows of bytes, each after its length in four bytes, the least
 * significant one first. A row that no encoder makes comes out empty.
 */
#include <stdio.h>
#include <stdlib.h>

#include "frames.h"

static int read_length(uint32_t *length)
{
    uint8_t bytes[4];
    if (fread(bytes, 1u, sizeof bytes, stdin) != sizeof bytes)
        return 0;
    *length = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
              (uint32_t)bytes[3] << 24;
    return 1;
}

static int write_row(const uint8_t *bytes, uint32_t length)
{
    uint32_t i;
    for (i = 0; i < 4u; i++)
        if (putchar((int)(length >> 8u * i & 255u)) == EOF)
            return 0;
    return fwrite(bytes, 1u, length, stdout) == length;
}

static uint32_t stuffed(const uint8_t *bytes, uint32_t length, uint8_t *out)
{
    rowforge_stuffing to;
    uint32_t i;
    rowforge_start_stuffing(&to, out);
    for (i = 0; i < length; i++)
        rowforge_stuff(&to, bytes[i]);
    rowforge_end_stuffing(&to);
    return to.at;
}

int main(int count, char **arguments)
{
    uint32_t length;
    (void)arguments;
    while (read_length(&length)) {
        /* No more room than is promised to suffice, so that a byte too far is seen. */
        uint8_t *row = malloc(length + 1u);
        uint8_t *out = malloc(length + length / ROWFORGE_LINK_COBS_BLOCK + 1u);
        int good = row && out && fread(row, 1u, length, stdin) == length;
        if (good && count > 1) {
            const uint32_t left = rowforge_unstuff(row, length);
            good = write_row(row, left);
        } else if (good) {
            const uint32_t more = stuffed(row, length, out);
            good = write_row(out, more);
        }
        free(row);
        free(out);
        if (!good)
            return 1;
    }
    return 0;
}
