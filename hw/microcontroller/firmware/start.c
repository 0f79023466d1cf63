// Start-up, and the loop around everything.
#include "machine.h"

#ifdef HOST
struct state s;
#else
__attribute__((used, section(".state"))) static struct state state; // what `s` stands for
#endif
u32 row_patterns[ROW_PATTERNS][ROW_PATTERN_WORDS * 2];
u32 column_patterns[COLUMN_PATTERNS][COLUMN_PATTERN_WORDS * 2];
u32 params[PARAM_ENTRIES][PARAM_WORDS * 2];
u32 tables[TABLE_ENTRIES][TABLE_WORDS * 2];
u32 weights[WEIGHT_WORDS + 1][2];

__attribute__((noreturn, used)) static void run(void) {
    for (;;) {
        if (s.begun)
            command();
        else
            begin();
    }
}

#ifdef HOST
int _setjmp(void *place) __attribute__((returns_twice));
_Noreturn void longjmp(void *place, int value);

enum { RESTART = 1, LEAVE };

u32 (*host_get)(u32 offset);
void (*host_set)(u32 offset, u32 value);
u8 buffer[BUFFER_WORDS * 4];
static long place[64];

void restart(void) { longjmp(place, RESTART); }

void leave(void) { longjmp(place, LEAVE); }

void connect(u32 (*getter)(u32), void (*setter)(u32, u32)) {
    host_get = getter;
    host_set = setter;
    s.begun = 0;
}

// Go on until the command stream is empty where a program may end or wait.
void go(void) {
    if (_setjmp(place) != LEAVE)
        run();
}
#else
// Memories hold anything at first; `begin` sets what has to be known. The array has a reset of its
// own, so that a reset of all finds it where it was: in the middle of a pass, or at another number.
__attribute__((noreturn, used)) static void reset(void) {
    set(REGISTER_RESET, 1);
    s.begun = 0;
    run();
}

__attribute__((naked, noreturn, section(".start"))) void start(void) {
    __asm__ volatile("la sp, stack_top\n j %0" : : "i"(reset));
}

__attribute__((naked, noreturn)) void restart(void) {
    __asm__ volatile("la sp, stack_top\n j %0" : : "i"(run));
}
#endif
