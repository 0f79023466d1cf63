/* Words as bytes over a pipe that damages nothing. */
#include "internal.h"
#include "rowforge_links.h"

#include <string.h>

#define WORD_BYTES 8u
#define LOOK 1u   /* milliseconds to wait for bytes while others want to leave */
#define WAIT 100u /* milliseconds to wait otherwise */

/* Write what waits; negative if the pipe is broken. */
static int flush(rowforge_pipe *pipe)
{
    int32_t taken = 0;
    if (pipe->out_count) {
        taken = pipe->bytes.write(pipe->bytes.context, pipe->out + pipe->out_at, pipe->out_count);
        if (taken < 0)
            return ROWFORGE_LINK_BROKEN;
        pipe->out_at += (uint32_t)taken;
        pipe->out_count -= (uint32_t)taken;
    }
    if (taken)
        pipe->waiting = 0;
    return ROWFORGE_OK;
}

static int32_t send(void *context, const uint64_t *words, uint32_t count)
{
    rowforge_pipe *pipe = context;
    uint32_t i, byte;
    int error = flush(pipe);
    if (error || pipe->out_count)
        return error;
    if (count > ROWFORGE_PIPE_BYTES / WORD_BYTES)
        count = ROWFORGE_PIPE_BYTES / WORD_BYTES;
    for (i = 0; i < count; i++)
        for (byte = 0; byte < WORD_BYTES; byte++)
            pipe->out[i * WORD_BYTES + byte] = (uint8_t)(words[i] >> 8u * byte & 255u);
    pipe->out_at = 0;
    pipe->out_count = count * WORD_BYTES;
    error = flush(pipe);
    return error ? error : (int32_t)count;
}

static int32_t waited(rowforge_pipe *pipe)
{
    const uint32_t now = pipe->bytes.now(pipe->bytes.context);
    if (!pipe->waiting)
        pipe->waiting_since = now;
    pipe->waiting = 1;
    return now - pipe->waiting_since > pipe->patience ? ROWFORGE_LINK_TIMEOUT : 0;
}

static int32_t receive(void *context, uint64_t *words, uint32_t count)
{
    rowforge_pipe *pipe = context;
    uint32_t wanted, i, byte;
    int32_t came;
    const int error = flush(pipe);
    if (error)
        return error;
    if (count > ROWFORGE_PIPE_BYTES / WORD_BYTES)
        count = ROWFORGE_PIPE_BYTES / WORD_BYTES;
    wanted = count * WORD_BYTES - pipe->in_count;
    came = pipe->bytes.read(pipe->bytes.context, pipe->in + pipe->in_count, wanted,
                            pipe->out_count ? LOOK : WAIT);
    if (came < 0)
        return ROWFORGE_LINK_BROKEN;
    if (!came)
        return waited(pipe);
    pipe->waiting = 0;
    pipe->in_count += (uint32_t)came;
    count = pipe->in_count / WORD_BYTES;
    for (i = 0; i < count; i++) {
        words[i] = 0;
        for (byte = 0; byte < WORD_BYTES; byte++)
            words[i] |= (uint64_t)pipe->in[i * WORD_BYTES + byte] << 8u * byte;
    }
    pipe->in_count -= count * WORD_BYTES;
    memmove(pipe->in, pipe->in + count * WORD_BYTES, pipe->in_count);
    return (int32_t)count;
}

int rowforge_pipe_forget(rowforge_pipe *pipe)
{
    int32_t came;
    /* Whole words have left, or the next one would be read as the rest of this one. */
    while (pipe->out_count) {
        const int error = flush(pipe);
        if (error)
            return error;
        if (pipe->out_count && waited(pipe))
            return ROWFORGE_LINK_TIMEOUT;
    }
    do
        came = pipe->bytes.read(pipe->bytes.context, pipe->in, sizeof pipe->in, WAIT);
    while (came > 0);
    pipe->in_count = 0;
    pipe->waiting = 0;
    return came < 0 ? ROWFORGE_LINK_BROKEN : ROWFORGE_OK;
}

static int reset(void *context)
{
    return rowforge_pipe_forget(context);
}

rowforge_link rowforge_pipe_link(rowforge_pipe *pipe, const rowforge_bytes *bytes,
                                 uint32_t patience)
{
    rowforge_link link;
    memset(pipe, 0, sizeof *pipe);
    pipe->bytes = *bytes;
    pipe->patience = patience;
    link.send = send;
    link.receive = receive;
    link.reset = reset;
    link.context = pipe;
    return link;
}
