/* Ways to an accelerator, each a `rowforge_link` for `rowforge_setup`.
 *
 * `rowforge_framed` speaks the protocol of boards with a serial line (docs/link.md) over callbacks
 * that move bytes. `rowforge_pipe` sends the bare words over a pipe of bytes that damages nothing.
 * `rowforge_axi` uses the AXI wrapper's registers and a DMA.
 */
#ifndef ROWFORGE_LINKS_H
#define ROWFORGE_LINKS_H

#include "rowforge.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A pipe of bytes, and a clock. */
typedef struct rowforge_bytes {
    /* How many bytes it took, which may be 0; negative if the pipe is broken. */
    int32_t (*write)(void *context, const uint8_t *bytes, uint32_t count);
    /* How many bytes came, as soon as there are any; 0 after so many milliseconds without one;
     * negative if the pipe is broken. */
    int32_t (*read)(void *context, uint8_t *bytes, uint32_t count, uint32_t milliseconds);
    /* Milliseconds, modulo 2^32. */
    uint32_t (*now)(void *context);
    void *context;
} rowforge_bytes;

/* ---- words as they are, each least significant byte first ----------------------------------------- */

#define ROWFORGE_PIPE_BYTES 512u

typedef struct rowforge_pipe {
    rowforge_bytes bytes;
    uint32_t patience; /* milliseconds without a byte after which it gives up */
    uint32_t out_at, out_count, in_count;
    uint32_t waiting_since;
    int waiting;
    uint8_t out[ROWFORGE_PIPE_BYTES], in[ROWFORGE_PIPE_BYTES];
} rowforge_pipe;

/* The pipe must live as long as the link. */
rowforge_link rowforge_pipe_link(rowforge_pipe *pipe, const rowforge_bytes *bytes,
                                 uint32_t patience);

/* Drop all words that come until there is silence. The link's `reset` does just that: a pipe does not
 * reset what is at its other end, which after an error discards words until a program begins. Where
 * an error can leave a program unfinished (a host step that fails), set the `reset` of the link to a
 * function that resets the accelerator, then calls this one. */
int rowforge_pipe_forget(rowforge_pipe *pipe);

/* ---- frames over a line that may damage, lose or repeat bytes --------------------------------------- */

/* Words of a frame's payload at most; a session has four buffers of this size. */
#ifndef ROWFORGE_FRAME_PAYLOAD
#define ROWFORGE_FRAME_PAYLOAD ROWFORGE_LINK_MOST_WORDS
#endif
#if ROWFORGE_FRAME_PAYLOAD < 8 || ROWFORGE_FRAME_PAYLOAD > ROWFORGE_LINK_MOST_WORDS
#error "ROWFORGE_FRAME_PAYLOAD must be 8 to ROWFORGE_LINK_MOST_WORDS"
#endif
#define ROWFORGE_FRAME_BODY (8u * (ROWFORGE_FRAME_PAYLOAD + ROWFORGE_FRAME_WORDS) + 4u)
/* With a code byte for every block of COBS and both delimiters. */
#define ROWFORGE_FRAME_BYTES (ROWFORGE_FRAME_BODY + ROWFORGE_FRAME_BODY / 254u + 4u)
#define ROWFORGE_FRAME_READ 64u

typedef struct rowforge_frame {
    unsigned opcode, status;
    uint32_t sequence, length, session, count;
    uint32_t wait; /* of a request */
} rowforge_frame;

typedef struct rowforge_framed {
    rowforge_bytes bytes;
    uint32_t bytes_per_second; /* of the line, each way */
    uint32_t latency;          /* milliseconds that an answer takes beside its bytes */
    uint32_t patience;         /* milliseconds in which no word moves */
    uint32_t session, sequence, room, request_number;
    uint32_t window, most, clean;
    uint32_t heard;       /* when the last byte came */
    uint32_t stuck_since; /* since when no word has moved, if `stuck` */
    int stuck, lost, damaged;
    uint32_t requests, retries; /* statistics */
    rowforge_frame reply;
    uint32_t request_bytes, arrived, raw_at, raw_count, pending_count, results_at, results_count;
    uint8_t request[ROWFORGE_FRAME_BYTES], arriving[ROWFORGE_FRAME_BYTES];
    uint8_t raw[ROWFORGE_FRAME_READ];
    uint64_t pending[ROWFORGE_FRAME_PAYLOAD], results[ROWFORGE_FRAME_PAYLOAD];
} rowforge_framed;

/* Begin a session; the caller has filled in `bytes`, `bytes_per_second`, `latency` and `patience`.
 * The accelerator is reset, and another client loses it. `nonce`: any number, another one for each
 * session. */
int rowforge_framed_open(rowforge_framed *framed, uint32_t nonce);

/* The link of an open session, which must live as long as the link. */
rowforge_link rowforge_framed_link(rowforge_framed *framed);

/* ---- registers and a DMA ------------------------------------------------------------------------- */

typedef struct rowforge_axi {
    /* A register of the AXI wrapper, by its byte address (ROWFORGE_REGISTER_...). */
    uint32_t (*read)(void *context, uint32_t address);
    void (*write)(void *context, uint32_t address, uint32_t value);
    /* Start a transfer of words to the accelerator, or from it; not 0 if that fails. What is sent
     * has been copied when `start_send` returns; what is received goes to `incoming`, and is there
     * when `receive_idle` says so. */
    int (*start_send)(void *context, const uint64_t *words, uint32_t count);
    int (*send_idle)(void *context);
    int (*start_receive)(void *context, uint64_t *words, uint32_t count);
    int (*receive_idle)(void *context);
    /* End both transfers, whole or not, after which both are idle; not 0 if that fails. */
    int (*reset)(void *context);
    uint32_t (*now)(void *context); /* milliseconds, modulo 2^32 */
    void *context;
    uint32_t patience; /* milliseconds without a word after which it gives up */
    uint32_t waiting_since;
    int waiting;
    /* Where words are received: a transfer may outlast the call that gave up waiting for it. */
    uint64_t incoming[ROWFORGE_CHUNK];
} rowforge_axi;

/* End what transfers there are and reset the accelerator; the caller has filled in the functions,
 * `context` and `patience`. ROWFORGE_OTHER_PROTOCOL if the registers are not an accelerator's. */
int rowforge_axi_open(rowforge_axi *axi);

/* The link of an open wrapper, which must live as long as the link. */
rowforge_link rowforge_axi_link(rowforge_axi *axi);

#ifdef __cplusplus
}
#endif

#endif
