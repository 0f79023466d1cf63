/* Result blocks: each belongs to the next step that expects one, and its words go where that says. */
#include "internal.h"

#define RUN_WORDS (1u + ROWFORGE_RUN_ACCOUNT_WORDS)

static int expects(const uint64_t *step)
{
    switch (FIELD(step, STEP, KIND)) {
    case ROWFORGE_STEPKIND_TAKE:
    case ROWFORGE_STEPKIND_COUNT:
    case ROWFORGE_STEPKIND_END:
    case ROWFORGE_STEPKIND_COMPARE:
        return 1;
    default:
        return 0;
    }
}

/* Go on to the next step that expects a block, but not beyond `steps`: 1 if there is one, 0 if not,
 * or an error. */
static int find_expected(rowforge_session *session, uint32_t steps)
{
    for (; session->received < steps; session->received++) {
        if (!rowforge_read_step(session, session->received, session->expected))
            return rowforge_fail(session, ROWFORGE_UNREADABLE);
        if (expects(session->expected))
            return 1;
    }
    return 0;
}

static int unexpected(rowforge_session *session, unsigned block, uint32_t words)
{
    rowforge_fail(session, ROWFORGE_UNEXPECTED_BLOCK);
    rowforge_say(session, " ");
    rowforge_say_number(session, block, 10u);
    rowforge_say(session, " of ");
    rowforge_say_number(session, words, 10u);
    rowforge_say(session, " words");
    return ROWFORGE_UNEXPECTED_BLOCK;
}

static int start_block(rowforge_session *session, uint64_t header)
{
    const unsigned block = (unsigned)FIELD(&header, RESULT, BLOCK);
    const int status = (int)FIELD(&header, RESULT, STATUS);
    const uint32_t words = FIELD32(&header, RESULT, LENGTH);
    int found;
    session->left = session->block_words = words;
    session->block_failed =
        status != ROWFORGE_STATUS_OK &&
        ((block == ROWFORGE_RESULTBLOCK_STATUS && words == 1u) ||
         (block == ROWFORGE_RESULTBLOCK_RUN && words == RUN_WORDS));
    if (session->block_failed) {
        session->status = status;
        session->tag = (uint16_t)FIELD(&header, RESULT, TAG);
        return ROWFORGE_OK;
    }
    found = find_expected(session, session->end);
    if (found < 0)
        return found;
    if (!found || block != FIELD(session->expected, STEP, BLOCK) ||
        words != FIELD(session->expected, STEP, COUNT))
        return unexpected(session, block, words);
    session->same = 1;
    if (FIELD(session->expected, STEP, KIND) == ROWFORGE_STEPKIND_TAKE) {
        uint64_t walk[ROWFORGE_WALK_WORDS];
        rowforge_tensor tensor;
        if (!rowforge_read_tensor(session, FIELD32(session->expected, STEP, TENSOR), &tensor) ||
            !rowforge_read_record(session, FIELD32(session->expected, STEP, FIRST),
                                  ROWFORGE_WALK_WORDS, walk))
            return rowforge_fail(session, ROWFORGE_UNREADABLE);
        rowforge_start_walk(&session->walk, walk);
        if (FIELD(session->expected, STEP, CLEAR))
            rowforge_clear(tensor.data, tensor.elements * rowforge_element_size(tensor.type));
    }
    return ROWFORGE_OK;
}

/* Words of a block that says why the program ended. */
static void take_failure(rowforge_session *session, const uint64_t *words, uint32_t at,
                         uint32_t count)
{
    uint32_t i;
    for (i = 0; i < count; i++) {
        if (at + i == 0u)
            session->value = words[i];
        else
            session->tag = (uint16_t)FIELD(words + i, RUN_ACCOUNT, TAG);
    }
}

static int take_words(rowforge_session *session, const uint64_t *words, uint32_t at,
                      uint32_t count)
{
    const uint64_t *step = session->expected;
    uint64_t space[ROWFORGE_CHUNK];
    const uint64_t *wanted;
    rowforge_tensor tensor;
    uint32_t i;
    switch (FIELD(step, STEP, KIND)) {
    case ROWFORGE_STEPKIND_TAKE:
        if (!rowforge_read_tensor(session, FIELD32(step, STEP, TENSOR), &tensor))
            return rowforge_fail(session, ROWFORGE_UNREADABLE);
        for (i = 0; i < count; i++)
            rowforge_unpack_word(&session->walk, (uint8_t *)tensor.data,
                                 rowforge_element_size(tensor.type), words[i]);
        break;
    case ROWFORGE_STEPKIND_COUNT:
        /* Those of the steps that fill memories are of nobody's interest. */
        if (!session->setup.counters || session->received < session->once)
            break;
        for (i = 0; i < count; i++)
            session->setup.counters(session->setup.counters_context,
                                    (int32_t)SIGNED_FIELD(step, STEP, LAYER), at + i, words[i]);
        break;
    case ROWFORGE_STEPKIND_COMPARE:
        wanted = rowforge_words(session, FIELD32(step, STEP, FIRST) + at, count, space);
        if (!wanted)
            return rowforge_fail(session, ROWFORGE_UNREADABLE);
        for (i = 0; i < count; i++)
            session->same = session->same && words[i] == wanted[i];
        break;
    default: /* END: of a RUN, the second word is its account, which AGAIN brings once more */
        for (i = 0; i < count; i++)
            if (at + i == 1u && !FIELD(step, STEP, REPEATED))
                session->cycles += FIELD(words + i, RUN_ACCOUNT, CYCLES);
    }
    return ROWFORGE_OK;
}

static const char *status_sentence(int status)
{
#define SENTENCE(number, sentence)                                                                 \
    case number:                                                                                   \
        return sentence;
    switch (status) {
        ROWFORGE_STATUS_SENTENCES(SENTENCE)
    default:
        return "unknown status, value";
    }
#undef SENTENCE
}

static int program_failed(rowforge_session *session)
{
    rowforge_fail(session, ROWFORGE_PROGRAM_FAILED);
    rowforge_say(session, " ");
    rowforge_say(session, status_sentence(session->status));
    rowforge_say(session, " ");
    rowforge_say_number(session, session->value, 16u);
    rowforge_say(session, " (after command tag ");
    rowforge_say_number(session, session->tag, 10u);
    rowforge_say(session, ")");
    return ROWFORGE_PROGRAM_FAILED;
}

/* What the link returned, as an error of the session if it is one. */
static int moved(rowforge_session *session, int32_t count)
{
    return count < 0 ? rowforge_fail(session, (int)count) : (int)count;
}

int rowforge_receive_some(rowforge_session *session)
{
    const rowforge_link *link = &session->setup.link;
    uint64_t words[ROWFORGE_CHUNK];
    int count, error;
    uint32_t at;
    if (!session->left) {
        count = moved(session, link->receive(link->context, words, 1u));
        if (count <= 0)
            return count;
        error = start_block(session, words[0]);
        return error ? error : 1;
    }
    count = moved(session, link->receive(link->context, words,
                                         session->left < ROWFORGE_CHUNK ? session->left
                                                                        : ROWFORGE_CHUNK));
    if (count <= 0)
        return count;
    at = session->block_words - session->left;
    error = ROWFORGE_OK;
    if (session->block_failed)
        take_failure(session, words, at, (uint32_t)count);
    else
        error = take_words(session, words, at, (uint32_t)count);
    if (error)
        return error;
    session->left -= (uint32_t)count;
    if (session->left)
        return count;
    if (session->block_failed)
        return program_failed(session);
    session->received++;
    return count;
}

int rowforge_receive_until(rowforge_session *session, uint32_t steps)
{
    for (;;) {
        int found = session->left ? 1 : find_expected(session, steps);
        if (found <= 0)
            return found;
        found = rowforge_receive_some(session);
        if (found < 0)
            return found;
    }
}
