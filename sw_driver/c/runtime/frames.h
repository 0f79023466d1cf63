/* Frames as bytes on the line. */
#ifndef ROWFORGE_FRAMES_H
#define ROWFORGE_FRAMES_H

#include "internal.h"
#include "rowforge_links.h"

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
