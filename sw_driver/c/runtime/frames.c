/* Frames as bytes on the line: a header, a payload and a CRC-32, by COBS without zeros. */
#include "frames.h"

#include <string.h>

#define DELIMITER 0u
#define FULL (ROWFORGE_LINK_COBS_BLOCK + 1u) /* code of a block after which no zero stood */
#define HEADER_BYTES (8u * ROWFORGE_FRAME_WORDS)
#define CRC_BYTES 4u

uint32_t rowforge_line_bytes(uint32_t words)
{
    const uint32_t body = 8u * words + HEADER_BYTES + CRC_BYTES;
    return body + body / ROWFORGE_LINK_COBS_BLOCK + 3u;
}

static void start_block(rowforge_stuffing *to)
{
    to->code_at = to->at++;
    to->run = 0;
    to->after_full = 0;
}

static void end_block(rowforge_stuffing *to)
{
    to->out[to->code_at] = (uint8_t)(to->run + 1u);
}

void rowforge_start_stuffing(rowforge_stuffing *to, uint8_t *out)
{
    to->out = out;
    to->at = 0;
    start_block(to);
}

void rowforge_stuff(rowforge_stuffing *to, uint8_t byte)
{
    /* A full block stands for no zero: the next one begins with the byte after it, if there is one. */
    if (to->after_full)
        start_block(to);
    if (byte) {
        to->out[to->at++] = byte;
        to->run++;
    }
    to->after_full = to->run == ROWFORGE_LINK_COBS_BLOCK;
    if (!byte || to->after_full)
        end_block(to);
    if (!byte)
        start_block(to);
}

void rowforge_end_stuffing(rowforge_stuffing *to)
{
    if (!to->after_full)
        end_block(to);
}

static uint32_t put_bytes(rowforge_stuffing *to, uint32_t crc, uint64_t bits, uint32_t count)
{
    uint32_t i;
    for (i = 0; i < count; i++) {
        const uint8_t byte = (uint8_t)(bits >> 8u * i & 255u);
        crc = rowforge_crc_bytes(crc, &byte, 1u);
        rowforge_stuff(to, byte);
    }
    return crc;
}

#define PLACE(value, field)                                                                        \
    header[ROWFORGE_FRAME_##field##_WORD] |= (uint64_t)(value) << ROWFORGE_FRAME_##field##_LSB

void rowforge_encode_frame(rowforge_framed *framed, const rowforge_frame *frame,
                           const uint64_t *payload)
{
    uint64_t header[ROWFORGE_FRAME_WORDS] = {0};
    rowforge_stuffing to;
    uint32_t crc = ROWFORGE_CRC_START, i;
    PLACE(ROWFORGE_LINK_PROTOCOL, VERSION);
    PLACE(frame->opcode, OPCODE);
    PLACE(frame->sequence, SEQUENCE);
    PLACE(frame->length, LENGTH);
    PLACE(frame->session, SESSION);
    PLACE(frame->count, COUNT);
    PLACE(frame->wait, WAIT);
    framed->request[0] = DELIMITER;
    rowforge_start_stuffing(&to, framed->request + 1);
    for (i = 0; i < ROWFORGE_FRAME_WORDS; i++)
        crc = put_bytes(&to, crc, header[i], 8u);
    for (i = 0; i < frame->length; i++)
        crc = put_bytes(&to, crc, payload[i], 8u);
    put_bytes(&to, crc, crc ^ ROWFORGE_CRC_FINAL_XOR, CRC_BYTES);
    rowforge_end_stuffing(&to);
    to.out[to.at++] = DELIMITER;
    framed->request_bytes = 1u + to.at;
}

uint32_t rowforge_unstuff(uint8_t *bytes, uint32_t count)
{
    uint32_t from = 0, to = 0;
    while (from < count) {
        const uint32_t code = bytes[from++], size = code - 1u;
        if (size > count - from)
            return 0;
        memmove(bytes + to, bytes + from, size);
        from += size;
        to += size;
        if (code != FULL && from < count)
            bytes[to++] = 0;
    }
    return to;
}

static uint64_t word_at(const uint8_t *bytes, uint32_t count)
{
    uint64_t word = 0;
    uint32_t i;
    for (i = 0; i < count; i++)
        word |= (uint64_t)bytes[i] << 8u * i;
    return word;
}

int rowforge_decode_frame(rowforge_framed *framed)
{
    uint8_t *bytes = framed->arriving;
    uint64_t header[ROWFORGE_FRAME_WORDS];
    uint32_t count, crc, i;
    if (framed->arrived > sizeof framed->arriving)
        return 0;
    count = rowforge_unstuff(bytes, framed->arrived);
    if (count < HEADER_BYTES + CRC_BYTES)
        return 0;
    crc = rowforge_crc_bytes(ROWFORGE_CRC_START, bytes, count - CRC_BYTES);
    if ((uint32_t)(crc ^ ROWFORGE_CRC_FINAL_XOR) != word_at(bytes + count - CRC_BYTES, CRC_BYTES))
        return 0;
    for (i = 0; i < ROWFORGE_FRAME_WORDS; i++)
        header[i] = word_at(bytes + 8u * i, 8u);
    framed->reply.opcode = (unsigned)FIELD(header, FRAME, OPCODE);
    framed->reply.status = (unsigned)FIELD(header, FRAME, STATUS);
    framed->reply.sequence = FIELD32(header, FRAME, SEQUENCE);
    framed->reply.length = FIELD32(header, FRAME, LENGTH);
    framed->reply.session = FIELD32(header, FRAME, SESSION);
    framed->reply.count = FIELD32(header, FRAME, COUNT);
    return count == HEADER_BYTES + 8u * framed->reply.length + CRC_BYTES;
}

uint64_t rowforge_reply_word(const rowforge_framed *framed, uint32_t index)
{
    return word_at(framed->arriving + HEADER_BYTES + 8u * index, 8u);
}
