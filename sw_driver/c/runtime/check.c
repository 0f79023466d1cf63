/* Checks of a program's tables, so that nothing that a run does later leaves its bounds.
 *
 * The checksum finds damage; these find what a faulty writer could have written. */
#include "internal.h"

static int inconsistent(rowforge_session *session, const char *what, uint32_t number)
{
    rowforge_fail(session, ROWFORGE_INCONSISTENT);
    rowforge_say(session, " ");
    rowforge_say(session, what);
    rowforge_say(session, " ");
    rowforge_say_number(session, number, 10u);
    return ROWFORGE_INCONSISTENT;
}

/* Whether words from a position on are of the program. */
static int within(const rowforge_session *session, uint64_t first, uint64_t count)
{
    const uint64_t end = session->words - 1u; /* the checksum's own position */
    return first >= ROWFORGE_PROGRAM_WORDS && first <= end && count <= end - first;
}

static uint64_t words_of(uint64_t bytes)
{
    return bytes / 8u + (bytes % 8u != 0u);
}

static int check_tensor(rowforge_session *session, uint32_t number, uint32_t memory)
{
    uint64_t record[ROWFORGE_TENSOR_WORDS], shape[ROWFORGE_PROGRAM_MOST_RANK], bytes;
    uint64_t elements = 1;
    uint32_t rank, axis;
    if (!rowforge_read_record(session, ROWFORGE_PROGRAM_WORDS + number * ROWFORGE_TENSOR_WORDS,
                              ROWFORGE_TENSOR_WORDS, record))
        return rowforge_fail(session, ROWFORGE_UNREADABLE);
    rank = FIELD32(record, TENSOR, RANK);
    bytes = FIELD(record, TENSOR, ELEMENTS) *
            rowforge_element_size((int)FIELD(record, TENSOR, TYPE));
    if (rank > ROWFORGE_PROGRAM_MOST_RANK ||
        !within(session, FIELD(record, TENSOR, SHAPE), rank) ||
        !rowforge_element_size((int)FIELD(record, TENSOR, TYPE)))
        return inconsistent(session, "tensor", number);
    if (!rowforge_read_record(session, FIELD32(record, TENSOR, SHAPE), rank, shape))
        return rowforge_fail(session, ROWFORGE_UNREADABLE);
    for (axis = 0; axis < rank; axis++)
        elements = shape[axis] && elements > ((uint64_t)1 << 32) / shape[axis]
                       ? (uint64_t)1 << 32
                       : elements * shape[axis];
    if (elements != FIELD(record, TENSOR, ELEMENTS) || bytes > memory ||
        FIELD(record, TENSOR, PLACE) % ROWFORGE_PROGRAM_ALIGNMENT ||
        FIELD(record, TENSOR, PLACE) > memory - bytes)
        return inconsistent(session, "tensor", number);
    if (FIELD(record, TENSOR, CONSTANT) &&
        !within(session, FIELD(record, TENSOR, CONSTANT), words_of(bytes)))
        return inconsistent(session, "the constant of tensor", number);
    return ROWFORGE_OK;
}

static int check_list(rowforge_session *session, uint32_t table, uint32_t count)
{
    uint32_t i;
    for (i = 0; i < count; i++) {
        uint64_t number;
        if (!rowforge_read_record(session, table + i, 1u, &number))
            return rowforge_fail(session, ROWFORGE_UNREADABLE);
        if (number >= session->tensors)
            return inconsistent(session, "input or output", i);
    }
    return ROWFORGE_OK;
}

static int check_state(rowforge_session *session, uint32_t number)
{
    uint64_t record[ROWFORGE_STATE_WORDS];
    rowforge_tensor read, write;
    if (!rowforge_read_record(session, session->state_table + number * ROWFORGE_STATE_WORDS,
                              ROWFORGE_STATE_WORDS, record))
        return rowforge_fail(session, ROWFORGE_UNREADABLE);
    if (!rowforge_read_tensor(session, FIELD32(record, STATE, READ), &read) ||
        !rowforge_read_tensor(session, FIELD32(record, STATE, WRITE), &write) ||
        read.elements != write.elements || read.type != write.type)
        return inconsistent(session, "state", number);
    return ROWFORGE_OK;
}

static int check_host_record(rowforge_session *session, uint32_t position)
{
    uint64_t record[ROWFORGE_HOST_WORDS], number;
    uint32_t i, tensors;
    char name[ROWFORGE_STEP_NAME_SIZE];
    if (!within(session, position, ROWFORGE_HOST_WORDS) ||
        !rowforge_read_record(session, position, ROWFORGE_HOST_WORDS, record))
        return 0;
    tensors = FIELD32(record, HOST, INPUTS) + FIELD32(record, HOST, OUTPUTS);
    position += ROWFORGE_HOST_WORDS;
    if (!within(session, position,
                tensors + FIELD(record, HOST, PARAMETERS) * ROWFORGE_PARAMETER_WORDS) ||
        !rowforge_read_text(session, FIELD32(record, HOST, NAME), name, sizeof name))
        return 0;
    for (i = 0; i < tensors; i++)
        if (!rowforge_read_record(session, position + i, 1u, &number) || number >= session->tensors)
            return 0;
    position += tensors;
    for (i = 0; i < FIELD32(record, HOST, PARAMETERS); i++) {
        uint64_t entry[ROWFORGE_PARAMETER_WORDS];
        if (!rowforge_read_record(session, position + i * ROWFORGE_PARAMETER_WORDS,
                                  ROWFORGE_PARAMETER_WORDS, entry) ||
            !rowforge_read_text(session, FIELD32(entry, PARAMETER, NAME), name, sizeof name) ||
            FIELD(entry, PARAMETER, KIND) > ROWFORGE_PARAMETERKIND_TEXT ||
            !within(session, FIELD(entry, PARAMETER, COUNT) ? FIELD(entry, PARAMETER, FIRST)
                                                            : ROWFORGE_PROGRAM_WORDS,
                    FIELD(entry, PARAMETER, COUNT)))
            return 0;
    }
    return 1;
}

/* PACK and TAKE: a walk within the tensor that takes just the step's words. */
static int check_walk(rowforge_session *session, const uint64_t *step)
{
    uint64_t walk[ROWFORGE_WALK_WORDS];
    rowforge_tensor tensor;
    uint32_t size;
    if (!rowforge_read_tensor(session, FIELD32(step, STEP, TENSOR), &tensor) ||
        !within(session, FIELD(step, STEP, FIRST), ROWFORGE_WALK_WORDS) ||
        !rowforge_read_record(session, FIELD32(step, STEP, FIRST), ROWFORGE_WALK_WORDS, walk))
        return 0;
    size = rowforge_element_size(tensor.type);
    return size <= 4u && rowforge_walk_within(walk, tensor.elements) &&
           words_of(rowforge_walk_elements(walk) * size) == FIELD(step, STEP, COUNT);
}

static int sound_step(rowforge_session *session, const uint64_t *step, uint32_t number)
{
    const uint64_t first = FIELD(step, STEP, FIRST), count = FIELD(step, STEP, COUNT);
    if (FIELD(step, STEP, AFTER) > number)
        return 0;
    switch (FIELD(step, STEP, KIND)) {
    case ROWFORGE_STEPKIND_SEND:
        return within(session, first, count);
    case ROWFORGE_STEPKIND_RUN:
        return count == 1u + ROWFORGE_MESSAGE_WORDS && within(session, first, count);
    case ROWFORGE_STEPKIND_PACK:
    case ROWFORGE_STEPKIND_TAKE:
        return check_walk(session, step);
    case ROWFORGE_STEPKIND_COMPARE:
        return number < session->once && within(session, first, count) &&
               FIELD(step, STEP, SKIP) < session->once - number;
    case ROWFORGE_STEPKIND_HOST:
        return check_host_record(session, FIELD32(step, STEP, FIRST));
    case ROWFORGE_STEPKIND_AGAIN:
        return session->last_run != 0;
    case ROWFORGE_STEPKIND_COUNT:
        return count != 0u;
    case ROWFORGE_STEPKIND_END:
        return count == (FIELD(step, STEP, BLOCK) == ROWFORGE_RESULTBLOCK_RUN
                             ? 1u + ROWFORGE_RUN_ACCOUNT_WORDS
                             : 1u);
    default:
        return 0;
    }
}

static int check_step(rowforge_session *session, uint32_t number)
{
    uint64_t step[ROWFORGE_STEP_WORDS];
    if (!rowforge_read_step(session, number, step))
        return rowforge_fail(session, ROWFORGE_UNREADABLE);
    if (!sound_step(session, step, number))
        return inconsistent(session, "step", number);
    if (FIELD(step, STEP, KIND) == ROWFORGE_STEPKIND_RUN)
        session->last_run = FIELD32(step, STEP, FIRST);
    if (FIELD(step, STEP, KIND) == ROWFORGE_STEPKIND_HOST)
        return rowforge_host(session, FIELD32(step, STEP, FIRST), 1);
    return ROWFORGE_OK;
}

int rowforge_check_program(rowforge_session *session, uint32_t memory)
{
    uint32_t i;
    int error = ROWFORGE_OK;
    const uint64_t tables = (uint64_t)(session->step_table - ROWFORGE_PROGRAM_WORDS) +
                            (uint64_t)session->steps * ROWFORGE_STEP_WORDS;
    if (!within(session, ROWFORGE_PROGRAM_WORDS, tables) || session->once > session->steps)
        return inconsistent(session, "its tables, of steps:", session->steps);
    for (i = 0; i < session->tensors && !error; i++)
        error = check_tensor(session, i, memory);
    if (!error)
        error = check_list(session, session->input_table, session->inputs);
    if (!error)
        error = check_list(session, session->output_table, session->outputs);
    for (i = 0; i < session->states && !error; i++)
        error = check_state(session, i);
    for (i = 0; i < session->steps && !error; i++)
        error = check_step(session, i);
    session->last_run = 0;
    return error;
}
