/* Frames as bytes on the line. */
#ifndef ROWFORGE_FRAMES_H
#define ROWFORGE_FRAMES_H

#include "internal.h"
#include "rowforge_links.h"

/* COBS, which leaves no zeros: a row of bytes on its way into `out`. */
typedef struct rowforge_stuffing {
    uint8_t *out;
    uint32_t at;      /* bytes of `out` that are taken */
    uint32_t code_at; /* the place of the present block's code */
    uint32_t run;     /* bytes after that */
    int after_full;   /* the block is full and has its code; none has begun after it */
} rowforge_stuffing;

/* Begin at `out`, which must have room for the bytes, one for each ROWFORGE_LINK_COBS_BLOCK of them,
 * and one more. */
void rowforge_start_stuffing(rowforge_stuffing *to, uint8_t *out);
void rowforge_stuff(rowforge_stuffing *to, uint8_t byte);
/* After the last byte; `at` is then how many bytes there are. */
void rowforge_end_stuffing(rowforge_stuffing *to);
/* Undo COBS in place: the bytes that are left, 0 if no encoder makes these. */
uint32_t rowforge_unstuff(uint8_t *bytes, uint32_t count);

/* A request becomes `framed->request`; its payload are `frame->length` words. */
void rowforge_encode_frame(rowforge_framed *framed, const rowforge_frame *frame,
                           const uint64_t *payload);

/* The bytes that have arrived since the last delimiter become `framed->reply` and its payload in
 * `framed->arriving`; 0 if they are damaged. */
int rowforge_decode_frame(rowforge_framed *framed);

/* A word of the reply's payload. */
uint64_t rowforge_reply_word(const rowforge_framed *framed, uint32_t index);

/* Bytes on the line of a frame with so many words, at most. */
uint32_t rowforge_line_bytes(uint32_t words);

#endif
