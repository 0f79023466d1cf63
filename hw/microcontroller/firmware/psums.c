// The psums of a pass: from the buffer to the columns, and from the columns to where they belong.
#include "machine.h"

// The word of a psum beat, as `psum_place` says.
static SMALL u32 *psum_at(u32 beat) {
    beat &= ADDRESS_MASK;
    if (beat >= PSUM_CAPACITY)
        beat = 0; // no program asks for it; the firmware's own words lie after the buffer
    u32 pair = beat >> 1;
    u32 above = pair & ~(GLB_DEPTH - 1u);
    u32 *at = (u32 *)buffer + ((GLB_BANKS - 2) * GLB_DEPTH + pair - above - 2 * above);
    return beat & 1 ? at + GLB_DEPTH : at; // shifts take longer
}

// Compute what belongs to the walk's segment, column and window.
static void enter(struct walk *walk) {
    const struct conv_start *bases = &s.conv.bases;
    const struct segment *segment = &s.segments[walk->segment];
    const struct column *column = &s.column[walk->column];
    walk->psum = 0;
    walk->beat = bases->psum + segment->psum + walk->columns + walk->beats;
    walk->output = bases->output + segment->output + column->output + walk->pixels;
    walk->channel = bases->channel + segment->channel + column->channel;
    walk->head = segment->head;
    walk->fresh = segment->first & s.first;
    walk->finished = segment->last & s.last;
}

// Go on to the next column, segment or window; returns whether there is one.
static SMALL u32 advance(struct walk *walk) {
    const struct conv_constants *constants = &s.conv.constants;
    walk->columns += s.columns.psum;
    if (++walk->column == s.columns.columns) {
        walk->column = walk->columns = 0;
        if (++walk->segment == s.pattern.segments) {
            walk->segment = 0;
            walk->beats += constants->psum_beats;
            walk->pixels += constants->pixel_words;
            if (!--walk->windows)
                return 0;
        }
    }
    enter(walk);
    return 1;
}

void begin_psums(void) {
    s.drained = 0;
    for (struct walk *walk = &s.feed; walk <= &s.collect; walk++) {
        walk->segment = walk->column = walk->columns = walk->beats = walk->pixels = 0;
        walk->windows = s.conv.constants.windows;
        enter(walk);
    }
}

static u32 feed(void) {
    struct walk *walk = &s.feed;
    u32 moved = 0, psums = s.conv.constants.psums;
    if (!walk->windows)
        return 0;
    do {
        if (walk->fresh)
            continue;
        u32 column = walk->column;
        set(REGISTER_PSUM_ROW, walk->head);
        for (; walk->psum < psums; walk->psum++) {
            if (!(get(REGISTER_PSUM_READY) >> column & 1))
                return moved;
            set(REGISTER_PSUM + 4 * column, *psum_at(walk->beat + walk->psum));
            moved = 1;
        }
        s.events[COUNTER_GLB_PSUM_READ_BEATS] += psums;
    } while (advance(walk));
    return moved;
}

static u32 collect(void) {
    struct walk *walk = &s.collect;
    const struct post *post = &s.conv.constants.post;
    u32 moved = 0, psums = s.conv.constants.psums;
    do {
        u32 column = walk->column;
        for (; walk->psum < psums; walk->psum++) {
            if (!(get(REGISTER_PSUM_VALID) >> column & 1))
                return moved;
            u32 psum = get(REGISTER_PSUM + 4 * column);
            if (walk->finished) {
                u32 channel = (walk->channel + walk->psum) & CHANNEL_MASK;
                finish(psum, post, post->param + channel, walk->output, channel);
            } else {
                *psum_at(walk->beat + walk->psum) = psum;
            }
            moved = 1;
        }
        if (!walk->finished)
            s.events[COUNTER_GLB_PSUM_WRITE_BEATS] += psums;
    } while (advance(walk));
    s.drained = READY_DRAINED;
    return 1;
}

u32 serve_psums(void) {
    if (s.drained)
        return 0;
    return feed() | collect();
}
