/* Running: the steps of a program in order, while results are received as they come. */
#include "internal.h"

#define LAST_RUN_NUMBER 0xffffu

/* All words leave; results are received while the link takes none. */
static int send_words(rowforge_session *session, const uint64_t *words, uint32_t count)
{
    const rowforge_link *link = &session->setup.link;
    while (count) {
        const int32_t sent = link->send(link->context, words, count);
        if (sent < 0)
            return rowforge_fail(session, (int)sent);
        words += sent;
        count -= (uint32_t)sent;
        if (!sent) {
            const int received = rowforge_receive_some(session);
            if (received < 0)
                return received;
        }
    }
    return ROWFORGE_OK;
}

static int send_pool(rowforge_session *session, uint32_t first, uint32_t count)
{
    uint64_t space[ROWFORGE_CHUNK];
    while (count) {
        const uint32_t part = count < ROWFORGE_CHUNK ? count : ROWFORGE_CHUNK;
        const uint64_t *words = rowforge_words(session, first, part, space);
        int error;
        if (!words)
            return rowforge_fail(session, ROWFORGE_UNREADABLE);
        error = send_words(session, words, part);
        if (error)
            return error;
        first += part;
        count -= part;
    }
    return ROWFORGE_OK;
}

static int pack(rowforge_session *session, const uint64_t *step)
{
    uint64_t record[ROWFORGE_WALK_WORDS], words[ROWFORGE_CHUNK];
    uint32_t left = FIELD32(step, STEP, COUNT), size;
    rowforge_tensor tensor;
    rowforge_walk walk;
    if (!rowforge_read_tensor(session, FIELD32(step, STEP, TENSOR), &tensor) ||
        !rowforge_read_record(session, FIELD32(step, STEP, FIRST), ROWFORGE_WALK_WORDS, record))
        return rowforge_fail(session, ROWFORGE_UNREADABLE);
    size = rowforge_element_size(tensor.type);
    rowforge_start_walk(&walk, record);
    while (left) {
        const uint32_t part = left < ROWFORGE_CHUNK ? left : ROWFORGE_CHUNK;
        uint32_t i;
        int error;
        for (i = 0; i < part; i++)
            words[i] = rowforge_pack_word(&walk, (const uint8_t *)tensor.data, size);
        error = send_words(session, words, part);
        if (error)
            return error;
        left -= part;
    }
    return ROWFORGE_OK;
}

/* The message of a RUN with the session's present number. */
static int send_run(rowforge_session *session)
{
    uint64_t words[1u + ROWFORGE_MESSAGE_WORDS];
    uint32_t sum = 0, i;
    unsigned shift;
    uint64_t *record = words + 1;
    if (!rowforge_read_record(session, session->last_run, 1u + ROWFORGE_MESSAGE_WORDS, words))
        return rowforge_fail(session, ROWFORGE_UNREADABLE);
    record[ROWFORGE_MESSAGE_NUMBER_WORD] &=
        ~((uint64_t)LAST_RUN_NUMBER << ROWFORGE_MESSAGE_NUMBER_LSB);
    record[ROWFORGE_MESSAGE_NUMBER_WORD] |= (uint64_t)session->run_number
                                            << ROWFORGE_MESSAGE_NUMBER_LSB;
    record[ROWFORGE_MESSAGE_CHECKSUM_WORD] &= ~((uint64_t)0xffffu << ROWFORGE_MESSAGE_CHECKSUM_LSB);
    for (i = 0; i < ROWFORGE_MESSAGE_WORDS; i++)
        for (shift = 0; shift < 64u; shift += 16u)
            sum += (uint32_t)(record[i] >> shift & 0xffffu);
    record[ROWFORGE_MESSAGE_CHECKSUM_WORD] |= (uint64_t)(sum & 0xffffu)
                                              << ROWFORGE_MESSAGE_CHECKSUM_LSB;
    return send_words(session, words, 1u + ROWFORGE_MESSAGE_WORDS);
}

static int one_step(rowforge_session *session, const uint64_t *step)
{
    const uint32_t first = FIELD32(step, STEP, FIRST);
    switch (FIELD(step, STEP, KIND)) {
    case ROWFORGE_STEPKIND_SEND:
        return send_pool(session, first, FIELD32(step, STEP, COUNT));
    case ROWFORGE_STEPKIND_PACK:
        return pack(session, step);
    case ROWFORGE_STEPKIND_RUN:
        session->run_number = (uint16_t)(session->run_number % LAST_RUN_NUMBER + 1u);
        session->last_run = first;
        return send_run(session);
    case ROWFORGE_STEPKIND_AGAIN:
        return send_run(session);
    case ROWFORGE_STEPKIND_HOST:
        return rowforge_host(session, first, 0);
    default: /* blocks are received when they are needed */
        return ROWFORGE_OK;
    }
}

static int run_steps(rowforge_session *session, uint32_t first, uint32_t end)
{
    session->sent = session->received = first;
    session->end = end;
    session->left = 0;
    while (session->sent < end) {
        uint64_t step[ROWFORGE_STEP_WORDS];
        int error;
        if (!rowforge_read_step(session, session->sent, step))
            return rowforge_fail(session, ROWFORGE_UNREADABLE);
        error = rowforge_receive_until(session, FIELD32(step, STEP, AFTER));
        if (!error)
            error = one_step(session, step);
        session->sent++;
        if (!error && FIELD(step, STEP, KIND) == ROWFORGE_STEPKIND_COMPARE) {
            error = rowforge_receive_until(session, session->sent);
            if (session->same && !session->forced)
                session->sent = session->received = session->sent + FIELD32(step, STEP, SKIP);
        }
        if (error)
            return error;
    }
    return rowforge_receive_until(session, end);
}

static int keep_states(rowforge_session *session)
{
    uint32_t number;
    for (number = 0; number < session->states; number++) {
        uint64_t record[ROWFORGE_STATE_WORDS];
        rowforge_tensor read, write;
        if (!rowforge_read_record(session, session->state_table + number * ROWFORGE_STATE_WORDS,
                                  ROWFORGE_STATE_WORDS, record) ||
            !rowforge_read_tensor(session, FIELD32(record, STATE, READ), &read) ||
            !rowforge_read_tensor(session, FIELD32(record, STATE, WRITE), &write))
            return rowforge_fail(session, ROWFORGE_UNREADABLE);
        rowforge_copy(read.data, write.data, read.elements * rowforge_element_size(read.type));
    }
    return ROWFORGE_OK;
}

/* After an error nothing is known of the accelerator: it is reset, and its memories are filled. */
static int recover(rowforge_session *session)
{
    const rowforge_link *link = &session->setup.link;
    int error = link->reset ? link->reset(link->context) : ROWFORGE_OK;
    session->ready = 0;
    session->forced = 1;
    return error ? rowforge_fail(session, error) : ROWFORGE_OK;
}

int rowforge_run(rowforge_session *session)
{
    int error = ROWFORGE_OK;
    if (!session->loaded)
        return rowforge_fail(session, ROWFORGE_NOT_LOADED);
    session->status = ROWFORGE_STATUS_OK;
    session->cycles = 0;
    if (session->failed)
        error = recover(session);
    session->failed = 1;
    if (!error && !session->ready)
        error = run_steps(session, 0, session->once);
    if (!error) {
        session->ready = 1;
        session->forced = 0;
        error = run_steps(session, session->once, session->steps);
    }
    if (!error)
        error = keep_states(session);
    if (error)
        return error;
    session->failed = 0;
    return rowforge_fail(session, ROWFORGE_OK);
}

void rowforge_forget(rowforge_session *session)
{
    session->ready = 0;
}

uint64_t rowforge_cycles(const rowforge_session *session)
{
    return session->cycles;
}

int rowforge_status(const rowforge_session *session)
{
    return session->status;
}
