// What all of the firmware shares: the registers, the memories, the state of the program.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef short i16;
typedef int i32;

#define SMALL __attribute__((noinline)) // called from several places

#include "rowforge.h" // generated: configuration, records, registers

// ---- registers ------------------------------------------------------------------------------

#ifdef HOST // a library that a test drives
extern u32 (*host_get)(u32 offset);
extern void (*host_set)(u32 offset, u32 value);
extern u8 buffer[BUFFER_WORDS * 4];

static inline u32 get(u32 offset) { return host_get(offset); }

static inline void set(u32 offset, u32 value) { host_set(offset, value); }
#else
#define buffer ((u8 *)RAM)

static inline u32 get(u32 offset) { return *(volatile u32 *)(REGISTERS + offset); }

static inline void set(u32 offset, u32 value) { *(volatile u32 *)(REGISTERS + offset) = value; }
#endif

#define READY_DRAINED (1u << 31) // of `await`: every psum of the pass has been collected

_Noreturn void restart(void);

// ---- state ----------------------------------------------------------------------------------

// What the command's descriptor says, unpacked.
union descriptor {
    struct index index;
    struct region region;
    struct vector vector;
};

// A place in the nest "for window, for segment, for column, for psum".
struct walk {
    u32 windows; // to come, this one included
    u32 segment, column, psum;
    u32 beats, pixels;         // of the window: added to psum and output addresses
    u32 columns;               // of the column: added to psum addresses
    u32 beat, output, channel; // of psum 0
    u32 head;                  // the segment's
    u32 fresh;                 // its sum starts at zero
    u32 finished;              // its sum is complete after this segment
};

struct state {
    u32 begun; // a program is under way
    u32 guest; // it may only ask who is there
    u32 surplus; // a CONV carried more filters than its passes used
    struct header header;
    u32 left; // payload words to come
    union descriptor now;
    struct { // of CONV, where constants and loops may stay for the next one
        struct conv_constants constants;
        struct conv_start bases;
        struct loop loops[LOOPS];
    } conv;
    u32 drained; // READY_DRAINED or 0
    u32 first, last; // of the pass: psums may start at zero, may be finished
    u32 fresh, release; // filters are sent, are not needed after it
    u32 rows_held, columns_held; // the patterns below, by number
    struct pattern pattern;
    struct columns columns;
    struct walk feed, collect;
    u32 index[LOOPS]; // of the pass nest
    u32 events[COUNTERS]; // modulo 2^32; those that a register counts are not kept here
    u32 seen[COUNTERS];   // what `sums` know of
    u32 sums[COUNTERS][2];
    u32 words[DESCRIPTOR_MOST * 2];
    // Last: what lies beyond 2 KiB takes more instructions to reach.
    struct slot slots[ROWS];
    struct segment segments[ROWS];
    struct column column[COLS];
};

#ifdef HOST
extern struct state s;
#else
#define s (*(struct state *)(RAM + BUFFER_WORDS * 4)) // a constant takes fewer instructions
#endif

// Memories of records as they came, two halves a word.
extern u32 row_patterns[ROW_PATTERNS][ROW_PATTERN_WORDS * 2];
extern u32 column_patterns[COLUMN_PATTERNS][COLUMN_PATTERN_WORDS * 2];
extern u32 params[PARAM_ENTRIES][PARAM_WORDS * 2];
extern u32 tables[TABLE_ENTRIES][TABLE_WORDS * 2];
extern u32 weights[WEIGHT_WORDS + 1][2];

// ---- streams (stream.c) ---------------------------------------------------------------------

// Send a result word.
void send(u32 low, u32 high);
// Send the first word of a result block.
void send_header(u32 block, u32 status, u32 length);
// Send a status block with a value of 64 bits, or of 32, and hunt for the next program.
_Noreturn void fail_wide(u32 status, u32 low, u32 high);
_Noreturn void fail(u32 status, u32 value);
// Serve the psums of the pass until all of these bits of STATUS are set; the watchdog's place.
void wait(u32 ready);
// The same where there is often nothing to wait for.
static inline void await(u32 ready) {
    if ((get(REGISTER_STATUS) & ready) != ready)
        wait(ready);
}
// Take a word of the command stream.
void take(u32 *word);
// The same where a program may wait as long as it wants.
void take_patiently(u32 *word);
// The fields of `count` records that lie one after another, one by one; returns what follows.
const u32 *unpack(const u8 *layout, const u32 *words, void *records, u32 count);

// The halves of a product: returns the upper one (multiply.c).
u32 long_product(u32 a, u32 b, u32 *low);

// ---- the rest -------------------------------------------------------------------------------

void tick(void);                        // counters.c: add what was counted to the sums
void tick_in_time(void);                // before a register counts past what the sums know
void clear_counters(void);
void send_counters(void);
void begin(void);                       // program.c: hunt for a program
void command(void);                     // execute one command
void move_box(u32 store);               // box.c: LOAD or STORE
void convolve(void);                    // conv.c
void announce_filters(void);            // filters.c: check that the payload has the pass's filters
void send_filters(void);
void send_ifmaps(void);                 // ifmaps.c
void begin_psums(void);                 // psums.c
u32 serve_psums(void);                  // feed and collect what is possible; whether anything was
void vector(void);                      // vector.c
i32 requantise(i32 sum, const struct post *post, u32 entry); // requantise.c
// Requantise a sum and write it: channel block 0 of the pixel is in `word`.
void finish(i32 sum, const struct post *post, u32 entry, u32 word, u32 channel);
