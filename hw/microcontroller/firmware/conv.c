// CONV: the walk over the passes.
#include "machine.h"

// Unpack the pass's patterns and fill their part of the array's table, unless they are those of the
// pass before.
static void hold_patterns(void) {
    u32 rows = s.conv.bases.rows & PATTERN_MASK;
    u32 columns = s.conv.bases.columns & PATTERN_MASK;
    if (rows != s.rows_held) {
        s.rows_held = rows;
        const u32 *words = unpack(PATTERN_LAYOUT, row_patterns[rows], &s.pattern, 1);
        for (u32 i = 0; i < ROWS; i++)
            set(REGISTER_ROW + 4 * i, i < s.pattern.rows ? words[i] : 0);
        words = unpack(SLOT_LAYOUT, words + (s.pattern.rows + 1 & ~1u), s.slots, s.pattern.slots);
        unpack(SEGMENT_LAYOUT, words, s.segments, s.pattern.segments);
    }
    if (columns != s.columns_held) {
        s.columns_held = columns;
        const u32 *words = unpack(COLUMNS_LAYOUT, column_patterns[columns], &s.columns, 1);
        for (u32 i = 0; i < COLS; i++)
            set(REGISTER_COLUMN + 4 * i, i < s.columns.columns ? words[2 * i] : 0);
        unpack(COLUMN_LAYOUT, words, s.column, s.columns.columns);
    }
}

// Fill the rest of the array's table, as `pass_constants` says, and let the pass begin.
static void issue(void) {
    const struct conv_constants *constants = &s.conv.constants;
    u32 span = constants->diagonal ? constants->channels : 1;
    union {
        u8 end[4];
        u32 all;
    } ends = {{constants->steps - 2, constants->psums - 2, constants->taps - span - 1,
               constants->advance - 1}};
    set(REGISTER_ENDS, ends.all);
    set(REGISTER_WINDOWS, constants->windows | s.release << 30 | s.first << 31);
    set(REGISTER_ISSUE, 1);
}

static void run_pass(void) {
    await(READY_BEGUN | READY_SETTLED); // nobody needs the table of the pass before
    hold_patterns();
    if (s.fresh)
        announce_filters();
    issue();
    begin_psums();
    s.events[COUNTER_PASSES]++;
    if (s.fresh)
        send_filters();
    send_ifmaps();
    wait(READY_DRAINED);
}

void convolve(void) {
    struct conv_constants *constants = &s.conv.constants;
    s.left = s.header.length;
    const u32 *words = unpack(CONV_START_LAYOUT, s.words, &s.conv.bases, 1);
    if (s.conv.bases.decoded)
        fail(STATUS_BAD_FIELD, s.conv.bases.decoded);
    if (s.conv.bases.constants) {
        words = unpack(CONV_CONSTANTS_LAYOUT, words, constants, 1);
        for (u32 i = 0; i < LOOPS; i++) {
            struct loop *loop = &s.conv.loops[LOOPS - 1 - i];
            loop->count = 1;
            if (i < s.conv.bases.loops)
                words = unpack(LOOP_LAYOUT, words, loop, 1);
        }
    }
    for (u32 i = 0; i < LOOPS; i++)
        s.index[i] = 0;
    i32 stepping;
    do {
        u32 later = 0, goes_on = 0; // loops that are after the first, before the last iteration
        for (u32 i = 0; i < LOOPS; i++) {
            later |= (s.index[i] != 0) << i;
            goes_on |= (s.index[i] + 1 != s.conv.loops[i].count) << i;
        }
        s.first = !(constants->after | (later & constants->accumulate));
        s.last = !(constants->before | (goes_on & constants->accumulate));
        s.fresh = !(constants->reuse | (later & constants->held));
        s.release = !(constants->keep | (goes_on & constants->held));
        run_pass();
        for (stepping = LOOPS - 1; stepping >= 0; stepping--) {
            const struct loop *loop = &s.conv.loops[stepping];
            if (++s.index[stepping] < loop->count) {
                i32 *base = (i32 *)&s.conv.bases;
                const i32 *gain = (const i32 *)loop;
                for (u32 i = 0; i < BASES_FIELDS; i++)
                    base[i] += gain[i];
                break;
            }
            s.index[stepping] = 0;
        }
    } while (stepping >= 0);
    for (; s.left; s.left--) {
        u32 word[2];
        s.surplus = 1;
        take(word);
    }
}
