/* Elements of a tensor in the order in which link words carry them. */
#include "internal.h"

#include <string.h>

static uint32_t blocks_of(uint32_t channels, uint32_t lanes)
{
    return channels / lanes + (channels % lanes != 0u);
}

void rowforge_start_walk(rowforge_walk *walk, const uint64_t words[ROWFORGE_WALK_WORDS])
{
    memset(walk, 0, sizeof *walk);
    walk->offset = FIELD32(words, WALK, OFFSET);
    walk->items = FIELD32(words, WALK, ITEMS);
    walk->rows = FIELD32(words, WALK, ROWS);
    walk->columns = FIELD32(words, WALK, COLUMNS);
    walk->channels = FIELD32(words, WALK, CHANNELS);
    walk->lanes = FIELD32(words, WALK, LANES);
    walk->blocks = blocks_of(walk->channels, walk->lanes);
    walk->item_stride = FIELD32(words, WALK, ITEM_STRIDE);
    walk->row_stride = FIELD32(words, WALK, ROW_STRIDE);
    walk->column_stride = FIELD32(words, WALK, COLUMN_STRIDE);
}

/* a * b, or a number that is surely too large. */
static uint64_t product(uint64_t a, uint64_t b)
{
    const uint64_t most = (uint64_t)1 << 40;
    return a && b > most / a ? most : a * b;
}

uint64_t rowforge_walk_elements(const uint64_t words[ROWFORGE_WALK_WORDS])
{
    const uint32_t lanes = FIELD32(words, WALK, LANES);
    uint64_t count = product(FIELD(words, WALK, ITEMS), FIELD(words, WALK, ROWS));
    count = product(count, FIELD(words, WALK, COLUMNS));
    return lanes ? product(count, product(blocks_of(FIELD32(words, WALK, CHANNELS), lanes), lanes))
                 : 0u;
}

int rowforge_walk_within(const uint64_t words[ROWFORGE_WALK_WORDS], uint32_t elements)
{
    const uint64_t items = FIELD(words, WALK, ITEMS), rows = FIELD(words, WALK, ROWS);
    const uint64_t columns = FIELD(words, WALK, COLUMNS), channels = FIELD(words, WALK, CHANNELS);
    uint64_t last = FIELD(words, WALK, OFFSET);
    if (!items || !rows || !columns || !channels || !FIELD(words, WALK, LANES))
        return 0;
    last += product(items - 1u, FIELD(words, WALK, ITEM_STRIDE));
    last += product(rows - 1u, FIELD(words, WALK, ROW_STRIDE));
    last += product(columns - 1u, FIELD(words, WALK, COLUMN_STRIDE));
    return last + channels <= elements;
}

/* The element at the walk's present place, and on to the next one; -1: a lane without a channel. */
static int64_t next_element(rowforge_walk *walk)
{
    const uint32_t channel = walk->block * walk->lanes + walk->lane;
    int64_t found = -1;
    if (channel < walk->channels)
        found = (int64_t)(walk->offset + walk->item * walk->item_stride +
                          walk->row * walk->row_stride + walk->column * walk->column_stride +
                          channel);
    if (++walk->lane == walk->lanes) {
        walk->lane = 0;
        if (++walk->column == walk->columns) {
            walk->column = 0;
            if (++walk->row == walk->rows) {
                walk->row = 0;
                if (++walk->block == walk->blocks) {
                    walk->block = 0;
                    walk->ended = ++walk->item == walk->items;
                }
            }
        }
    }
    return found;
}

static uint64_t element_bits(const uint8_t *from, uint32_t size)
{
    uint16_t two;
    uint32_t four;
    switch (size) {
    case 1u:
        return *from;
    case 2u:
        memcpy(&two, from, sizeof two);
        return two;
    default:
        memcpy(&four, from, sizeof four);
        return four;
    }
}

uint64_t rowforge_pack_word(rowforge_walk *walk, const uint8_t *data, uint32_t size)
{
    uint64_t word = 0;
    uint32_t byte;
    for (byte = 0; byte < 8u && !walk->ended; byte += size) {
        const int64_t element = next_element(walk);
        if (element >= 0)
            word |= element_bits(data + (size_t)element * size, size) << 8u * byte;
    }
    return word;
}

void rowforge_unpack_word(rowforge_walk *walk, uint8_t *data, uint32_t size, uint64_t word)
{
    uint32_t byte;
    for (byte = 0; byte < 8u && !walk->ended; byte += size) {
        const int64_t element = next_element(walk);
        const uint64_t bits = word >> 8u * byte;
        const uint8_t one = (uint8_t)bits;
        const uint16_t two = (uint16_t)bits;
        const uint32_t four = (uint32_t)bits;
        if (element < 0)
            continue;
        if (size == 1u)
            data[element] = one;
        else if (size == 2u)
            memcpy(data + (size_t)element * size, &two, sizeof two);
        else
            memcpy(data + (size_t)element * size, &four, sizeof four);
    }
}
