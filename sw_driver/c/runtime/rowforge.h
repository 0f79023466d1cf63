/* Runs compiled programs on a Rowforge accelerator: a C99 runtime without allocation.
 *
 * Fill in a `rowforge_setup`, call `rowforge_load` once, then for each input write the elements of
 * `rowforge_input`, call `rowforge_run`, and read those of `rowforge_output`. Functions that can
 * fail return ROWFORGE_OK or the code of an error, and `rowforge_message` has a sentence about it.
 */
#ifndef ROWFORGE_H
#define ROWFORGE_H

#include <stddef.h>
#include <stdint.h>

#include "rowforge_records.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Errors: code, name, sentence. */
#define ROWFORGE_ERRORS(X)                                                                         \
    X(0, OK, "no error")                                                                           \
    X(-1, NOT_A_PROGRAM, "the words are not a program for this runtime")                           \
    X(-2, OTHER_VERSION, "the program was exported by another version of Rowforge: export it again") \
    X(-3, DAMAGED, "the program is damaged: its checksum is wrong")                                \
    X(-4, UNREADABLE, "the words of the program cannot be read")                                   \
    X(-5, INCONSISTENT, "the program contradicts itself at")                                       \
    X(-6, MEMORY, "the working memory is absent, not aligned to 8 bytes, or smaller than")         \
    X(-7, UNKNOWN_HOST_STEP, "neither the runtime nor a callback computes the host step")          \
    X(-8, BAD_HOST_STEP, "tensors or parameters do not suit the host step")                        \
    X(-9, HOST_STEP_FAILED, "a callback did not compute the host step")                            \
    X(-10, NOT_LOADED, "a program must be loaded before it runs")                                  \
    X(-11, LINK_BROKEN, "the link to the accelerator is broken")                                   \
    X(-12, LINK_TIMEOUT, "the accelerator does not answer")                                        \
    X(-13, LINK_CORRUPTED, "the link carries too few bytes whole")                                 \
    X(-14, LINK_BUSY, "another client has the accelerator")                                        \
    X(-15, SESSION_LOST, "the session is over: another client has opened the accelerator")         \
    X(-16, OTHER_PROTOCOL, "the accelerator does not speak this version of the link protocol")     \
    X(-17, UNEXPECTED_BLOCK, "the program does not call for the accelerator's answer, block")      \
    X(-18, PROGRAM_FAILED, "the accelerator ended the program:")                                   \
    X(-19, LINK_REFUSED, "the accelerator refuses a request of the link protocol")

#define ROWFORGE_ERROR_CODE(code, name, sentence) ROWFORGE_##name = code,
enum rowforge_error { ROWFORGE_ERRORS(ROWFORGE_ERROR_CODE) };
#undef ROWFORGE_ERROR_CODE

/* The words of a program, wherever they are. `words` returns `count` words from position `first`
 * on, `count` at most ROWFORGE_CHUNK: a pointer to where they lie, or `space` after it has filled
 * it; NULL if they cannot be read. They must stay until it is called again. */
#define ROWFORGE_CHUNK 64u
typedef struct rowforge_program {
    const uint64_t *(*words)(const void *context, uint32_t first, uint32_t count, uint64_t *space);
    const void *context;
    uint32_t count; /* words in all */
} rowforge_program;

/* A program that lies in memory. */
rowforge_program rowforge_program_in_memory(const uint64_t *words, uint32_t count);

/* The way to the accelerator: two streams of words. `send` and `receive` return how many words they
 * have moved, which may be 0 after a wait of theirs, or the code of an error. `receive` is asked
 * for no more words than will come, unless the accelerator reports an error. `reset` (or NULL) is
 * called before the next run after an error: it resets the accelerator and forgets all words under
 * way. */
typedef struct rowforge_link {
    int32_t (*send)(void *context, const uint64_t *words, uint32_t count);
    int32_t (*receive)(void *context, uint64_t *words, uint32_t count);
    int (*reset)(void *context);
    void *context;
} rowforge_link;

/* A tensor in the working memory. */
typedef struct rowforge_tensor {
    void *data;
    int type; /* ROWFORGE_ELEMENTTYPE_... */
    uint32_t elements;
    uint32_t rank;
    uint32_t shape[ROWFORGE_PROGRAM_MOST_RANK];
    double scale;
    int32_t zero_point;
} rowforge_tensor;

struct rowforge_session;

/* A step that the host is to compute. */
typedef struct rowforge_call {
    const struct rowforge_session *session;
    const char *name;
    uint32_t inputs, outputs, parameters;
    uint32_t position; /* of its record */
} rowforge_call;

/* A host step of the user's, by the name that the program calls it. `compute` writes all elements
 * of all outputs and returns 0; anything else ends the run. */
typedef struct rowforge_host_step {
    const char *name;
    int (*compute)(void *context, const rowforge_call *call);
    void *context;
} rowforge_host_step;

typedef struct rowforge_setup {
    rowforge_program program;
    rowforge_link link;
    void *memory; /* working memory, aligned to 8 bytes; the session keeps it */
    size_t memory_size;
    const rowforge_host_step *host_steps; /* tried before the runtime's own; may be NULL */
    uint32_t host_step_count;
    /* Told every word of every counter block, if the program was exported with them; may be NULL. */
    void (*counters)(void *context, int32_t layer, uint32_t index, uint64_t word);
    void *counters_context;
    uint16_t run_number; /* any number, best another one each time: of the last RUN before these */
} rowforge_setup;

#define ROWFORGE_SENTENCE_SIZE 192u

typedef struct rowforge_walk {
    uint32_t offset, items, blocks, rows, columns, channels, lanes;
    uint32_t item_stride, row_stride, column_stride;
    uint32_t item, block, row, column, lane;
    int ended;
} rowforge_walk;

/* A loaded program; every member is the runtime's own business. */
typedef struct rowforge_session {
    rowforge_setup setup;
    uint32_t tensors, inputs, outputs, states, steps, once, words;
    uint32_t input_table, output_table, state_table, step_table;
    uint32_t sent, received; /* steps of which all words have left, or all blocks have come */
    uint32_t end;            /* steps of what is being done */
    uint64_t expected[ROWFORGE_STEP_WORDS]; /* the step whose block is coming */
    uint32_t left;                          /* words of it that are still to come */
    uint32_t block_words;                   /* words of it in all */
    int block_failed;        /* it says why the program ended */
    int same;                /* COMPARE: whether all words were the same */
    int loaded, ready, failed, forced;
    uint16_t run_number;
    uint32_t last_run; /* position of the message of the last RUN */
    uint64_t cycles;
    int status;     /* of a program that failed */
    uint64_t value; /* likewise */
    uint16_t tag;   /* likewise */
    rowforge_walk walk;
    char name[ROWFORGE_PROGRAM_LONGEST_NAME + 1];
    char message[ROWFORGE_SENTENCE_SIZE];
} rowforge_session;

/* Check a program and prepare to run it; its states have their initial values. */
int rowforge_load(rowforge_session *session, const rowforge_setup *setup);

/* Run the program with the inputs that lie in the working memory. States go on from run to run; a
 * run that fails leaves them as it found them. */
int rowforge_run(rowforge_session *session);

/* Let the next run find the initial values of the states. */
int rowforge_reset_states(rowforge_session *session);

/* Say that something else has used the accelerator: memories are filled again before the next run. */
void rowforge_forget(rowforge_session *session);

/* The inputs and outputs, from 0 on. The runtime uses the memory of an input for other things while
 * it runs: write it before every run. ROWFORGE_INCONSISTENT if there is no such tensor. */
int rowforge_input(rowforge_session *session, uint32_t index, rowforge_tensor *tensor);
int rowforge_output(rowforge_session *session, uint32_t index, rowforge_tensor *tensor);

/* The number of inputs and of outputs. */
uint32_t rowforge_inputs(const rowforge_session *session);
uint32_t rowforge_outputs(const rowforge_session *session);

/* Cycles of the last run's RUNs, where the program lies in the board's memory; else 0. */
uint64_t rowforge_cycles(const rowforge_session *session);

/* The status (ROWFORGE_STATUS_...) of a program that the accelerator ended; 0 if it did not. */
int rowforge_status(const rowforge_session *session);

/* A sentence about the last error of this session. */
const char *rowforge_message(const rowforge_session *session);

/* The sentence of a code alone. */
const char *rowforge_sentence(int code);

/* Bytes of an element. */
uint32_t rowforge_element_size(int type);

/* ---- for host steps of the user's ---------------------------------------------------------- */

/* The tensors of a call, from 0 on. */
int rowforge_call_input(const rowforge_call *call, uint32_t index, rowforge_tensor *tensor);
int rowforge_call_output(const rowforge_call *call, uint32_t index, rowforge_tensor *tensor);

/* A parameter. `name` must have room for ROWFORGE_PROGRAM_LONGEST_NAME + 1 bytes. */
typedef struct rowforge_parameter {
    char name[ROWFORGE_PROGRAM_LONGEST_NAME + 1];
    int kind; /* ROWFORGE_PARAMETERKIND_... */
    uint32_t count;
    uint32_t first; /* position of its values */
} rowforge_parameter;

/* The parameter with that number, or with that name; ROWFORGE_BAD_HOST_STEP if there is none. */
int rowforge_call_parameter(const rowforge_call *call, uint32_t index, rowforge_parameter *found);
int rowforge_find_parameter(const rowforge_call *call, const char *name, rowforge_parameter *found);

/* A value of a parameter, from 0 on. Of REALS, `integer` is cut; of INTEGERS, `real` is the number.
 * ROWFORGE_BAD_HOST_STEP if there is no such value. */
int rowforge_integer(const rowforge_call *call, const rowforge_parameter *parameter, uint32_t index,
                     int64_t *integer);
int rowforge_real(const rowforge_call *call, const rowforge_parameter *parameter, uint32_t index,
                  double *real);

/* The text of a parameter, cut where `space` ends. */
int rowforge_text(const rowforge_call *call, const rowforge_parameter *parameter, char *space,
                  uint32_t size);

#ifdef __cplusplus
}
#endif

#endif
