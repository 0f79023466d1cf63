// The command decoder: reads the stream, checks it, and executes one command after the other.
#include "machine.h"

void begin(void) {
    u32 word[2];
    take_patiently(word);
    if (word[0] != MAGIC_LOW || word[1] != MAGIC_HIGH)
        return;
    s.events[COUNTER_LINK_IN_WORDS]--; // the counters are zero until a program begins
    clear_counters();
    s.events[COUNTER_LINK_IN_WORDS]++;
    s.header.opcode = s.header.tag = 0;
    s.rows_held = s.columns_held = NONE;
    s.surplus = 0;
    s.drained = READY_DRAINED;
    take(word);
    u32 version = word[0] & VERSION_MASK;
    if (version != COMMAND_SET_VERSION)
        fail(STATUS_BAD_VERSION, version);
    take(word);
    s.guest = !(word[0] | word[1]);
    if (!s.guest && (word[0] != CONFIGURATION_LOW || word[1] != CONFIGURATION_HIGH))
        fail_wide(STATUS_BAD_CONFIGURATION, word[0], word[1]);
    s.begun = 1;
}

// Take the descriptor, and compare the checksum of header and descriptor.
static void take_descriptor(const u32 *header, u32 words) {
    u32 sum = header[0] + (header[0] >> 16) + header[1] + (header[1] >> 16) - s.header.checksum;
    u32 nest = s.header.opcode == OPCODE_CONV; // its first words say how many follow
    for (u32 *to = s.words; words; words--, to += 2) {
        take(to);
        sum += to[0] + (to[0] >> 16) + to[1] + (to[1] >> 16);
        if (nest && words == 1) {
            nest = 0;
            if (to[1] >> START_CONSTANTS & 1)
                words += CONV_CONSTANTS_WORDS + (to[1] >> START_LOOPS & 7) * LOOP_WORDS;
        }
    }
    sum &= CHECKSUM_MASK;
    if (sum != s.header.checksum)
        fail(STATUS_BAD_CHECKSUM, sum);
}

static void check_length(u32 expected) {
    if (s.header.length != expected)
        fail(STATUS_BAD_LENGTH, s.header.length);
}

// The memories that commands fill: words of an entry, where, entries.
static const struct {
    u16 opcode, size;
    u32 *memory, entries;
} MEMORIES[] = {
    {OPCODE_ROWS, ROW_PATTERN_WORDS, row_patterns[0], ROW_PATTERNS},
    {OPCODE_COLS, COLUMN_PATTERN_WORDS, column_patterns[0], COLUMN_PATTERNS},
    {OPCODE_PARAMS, PARAM_WORDS, params[0], PARAM_ENTRIES},
    {OPCODE_TABLE, TABLE_WORDS, tables[0], TABLE_ENTRIES},
    {OPCODE_MEMORY, 1, weights[0], WEIGHT_WORDS},
};

// Fill entries of a memory with the payload, if the command is one that does so.
static u32 fill(u32 opcode) {
    u32 brief = opcode == OPCODE_SHORT_PARAMS; // entries without an addend, shifts ahead of eight
    if (brief)
        opcode = OPCODE_PARAMS;
    u32 measured = opcode <= OPCODE_COLS; // patterns, which say how long they are
    for (u32 i = 0; i < sizeof MEMORIES / sizeof *MEMORIES; i++) {
        if (MEMORIES[i].opcode != opcode)
            continue;
        unpack(INDEX_LAYOUT, s.words, &s.now.index, 1);
        u32 first = s.now.index.first, count = s.now.index.count, size = MEMORIES[i].size;
        u32 left = s.header.length;
        if (!measured)
            check_length(brief ? count + (count + SHIFTS_GROUP - 1) / SHIFTS_GROUP : count * size);
        if (first + count > MEMORIES[i].entries)
            fail(STATUS_BAD_ADDRESS, first + count);
        s.rows_held = s.columns_held = NONE;
        u32 *to = MEMORIES[i].memory + first * size * 2;
        for (u32 entry = 0; entry < count; entry++, to += size * 2) {
            u32 words = size, place = 0;
            if (brief) {
                if (!(entry & SHIFTS_GROUP - 1))
                    take(s.words);
                to[2] = 0;
                to[3] = ((u8 *)s.words)[entry & SHIFTS_GROUP - 1];
                words = 1;
            }
            do {
                if (measured && !left)
                    goto bad;
                take(to + 2 * place);
                if (measured && !place) {
                    words = *(u8 *)to; // `words`, the first field
                    if (words - 1 >= size)
                        goto bad;
                }
                left--;
            } while (++place < words);
        }
        if (measured && left)
        bad:
            fail(STATUS_BAD_LENGTH, left);
        return 1;
    }
    return 0;
}

static void identify(void) {
    send_header(BLOCK_IDENTITY, 0, IDENTITY_WORDS);
    send(MAGIC_LOW, MAGIC_HIGH);
    send(VERSIONS_LOW, VERSIONS_HIGH);
    send(CONFIGURATION_LOW, CONFIGURATION_HIGH);
    u32 value = 0, shift = 0;
    for (u32 i = 0; i < sizeof CONFIGURATION; i++) {
        value |= (CONFIGURATION[i] & 127u) << shift;
        shift += 7;
        if (!(CONFIGURATION[i] & 128)) {
            send(value, 0);
            value = shift = 0;
        }
    }
}

void command(void) {
    u32 word[2];
    take_patiently(word);
    unpack(HEADER_LAYOUT, word, &s.header, 1);
    u32 opcode = s.header.opcode;
    u32 words = opcode < sizeof DESCRIPTOR_WORDS ? DESCRIPTOR_WORDS[opcode] : UNKNOWN;
    if (words == UNKNOWN)
        fail(STATUS_UNKNOWN_COMMAND, opcode);
    if (s.guest && opcode != OPCODE_IDENTIFY && opcode != OPCODE_END)
        fail(STATUS_BAD_CONFIGURATION, opcode);
    take_descriptor(word, words);
    if (fill(opcode))
        return;
    if (opcode == OPCODE_CONV) {
        convolve();
        return;
    }
    if (opcode == OPCODE_LOAD || opcode == OPCODE_STORE) { // the others have no region
        u32 store = opcode == OPCODE_STORE;
        unpack(REGION_LAYOUT, s.words, &s.now.region, 1);
        if (s.now.region.coded)
            fail(STATUS_BAD_FIELD, 1);
        check_length(store ? 0 : s.now.region.words);
        move_box(store);
        return;
    }
    check_length(0);
    switch (opcode) {
    case OPCODE_COUNTERS:
        send_counters();
        return;
    case OPCODE_IDENTIFY:
        identify();
        return;
#ifndef WITHOUT_VECTOR
    case OPCODE_VECTOR:
        vector();
        return;
#endif
    }
    if (s.surplus)
        fail(STATUS_BAD_LENGTH, OPCODE_END);
    fail(STATUS_OK, 0);
}
