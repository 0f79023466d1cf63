/* Loading: the header and the checksum of a program, and what it begins with. */
#include "internal.h"

#include <string.h>

static int read_header(rowforge_session *session, uint32_t *memory)
{
    uint64_t header[ROWFORGE_PROGRAM_WORDS];
    rowforge_program *program = &session->setup.program;
    uint32_t table = ROWFORGE_PROGRAM_WORDS;
    if (program->count <= ROWFORGE_PROGRAM_WORDS)
        return rowforge_fail(session, ROWFORGE_NOT_A_PROGRAM);
    if (!rowforge_read_record(session, 0, ROWFORGE_PROGRAM_WORDS, header))
        return rowforge_fail(session, ROWFORGE_UNREADABLE);
    if (FIELD(header, PROGRAM, MAGIC) != ROWFORGE_PROGRAM_MAGIC)
        return rowforge_fail(session, ROWFORGE_NOT_A_PROGRAM);
    if (FIELD(header, PROGRAM, VERSION) != ROWFORGE_PROGRAM_VERSION ||
        FIELD(header, PROGRAM, COMMAND_SET) != ROWFORGE_PROGRAM_COMMAND_SET)
        return rowforge_fail(session, ROWFORGE_OTHER_VERSION);
    session->words = FIELD32(header, PROGRAM, WORDS);
    if (session->words <= ROWFORGE_PROGRAM_WORDS || session->words > program->count)
        return rowforge_fail(session, ROWFORGE_DAMAGED);
    session->tensors = FIELD32(header, PROGRAM, TENSORS);
    session->inputs = FIELD32(header, PROGRAM, INPUTS);
    session->outputs = FIELD32(header, PROGRAM, OUTPUTS);
    session->states = FIELD32(header, PROGRAM, STATES);
    session->steps = FIELD32(header, PROGRAM, STEPS);
    session->once = FIELD32(header, PROGRAM, ONCE);
    table += session->tensors * ROWFORGE_TENSOR_WORDS;
    session->input_table = table;
    table += session->inputs;
    session->output_table = table;
    table += session->outputs;
    session->state_table = table;
    table += session->states * ROWFORGE_STATE_WORDS;
    session->step_table = table;
    *memory = FIELD32(header, PROGRAM, MEMORY);
    return ROWFORGE_OK;
}

static int check_sum(rowforge_session *session)
{
    uint64_t space[ROWFORGE_CHUNK];
    uint32_t crc = ROWFORGE_CRC_START, at = 0;
    const uint32_t last = session->words - 1u;
    const uint64_t *found;
    while (at < last) {
        const uint32_t count = last - at < ROWFORGE_CHUNK ? last - at : ROWFORGE_CHUNK;
        uint32_t i;
        found = rowforge_words(session, at, count, space);
        if (!found)
            return rowforge_fail(session, ROWFORGE_UNREADABLE);
        for (i = 0; i < count; i++)
            crc = rowforge_crc_word(crc, found[i]);
        at += count;
    }
    found = rowforge_words(session, last, 1u, space);
    if (!found)
        return rowforge_fail(session, ROWFORGE_UNREADABLE);
    if (*found != (uint64_t)(uint32_t)(crc ^ ROWFORGE_CRC_FINAL_XOR))
        return rowforge_fail(session, ROWFORGE_DAMAGED);
    return ROWFORGE_OK;
}

static int check_memory(rowforge_session *session, uint32_t memory)
{
    const rowforge_setup *setup = &session->setup;
    if (setup->memory && (uintptr_t)setup->memory % ROWFORGE_PROGRAM_ALIGNMENT == 0u &&
        setup->memory_size >= memory)
        return ROWFORGE_OK;
    rowforge_fail(session, ROWFORGE_MEMORY);
    rowforge_say(session, " ");
    rowforge_say_number(session, memory, 10u);
    rowforge_say(session, " bytes");
    return ROWFORGE_MEMORY;
}

static int place_constants(rowforge_session *session)
{
    uint32_t number;
    for (number = 0; number < session->tensors; number++)
        if (!rowforge_place_constant(session, number))
            return rowforge_fail(session, ROWFORGE_UNREADABLE);
    return ROWFORGE_OK;
}

int rowforge_load(rowforge_session *session, const rowforge_setup *setup)
{
    uint32_t memory = 0;
    int error;
    memset(session, 0, sizeof *session);
    session->setup = *setup;
    session->run_number = setup->run_number;
    rowforge_fail(session, ROWFORGE_OK);
    error = read_header(session, &memory);
    if (!error)
        error = check_sum(session);
    if (!error)
        error = check_memory(session, memory);
    if (!error)
        error = rowforge_check_program(session, memory);
    if (!error)
        error = place_constants(session);
    session->loaded = !error;
    return error;
}

int rowforge_reset_states(rowforge_session *session)
{
    uint32_t number;
    if (!session->loaded)
        return rowforge_fail(session, ROWFORGE_NOT_LOADED);
    for (number = 0; number < session->states; number++) {
        uint64_t record[ROWFORGE_STATE_WORDS];
        if (!rowforge_read_record(session, session->state_table + number * ROWFORGE_STATE_WORDS,
                                  ROWFORGE_STATE_WORDS, record) ||
            !rowforge_place_constant(session, FIELD32(record, STATE, READ)))
            return rowforge_fail(session, ROWFORGE_UNREADABLE);
    }
    return ROWFORGE_OK;
}

static int listed_tensor(rowforge_session *session, uint32_t table, uint32_t count, uint32_t index,
                         rowforge_tensor *tensor)
{
    uint64_t number;
    if (!session->loaded)
        return rowforge_fail(session, ROWFORGE_NOT_LOADED);
    if (index >= count) {
        rowforge_fail(session, ROWFORGE_INCONSISTENT);
        rowforge_say(session, " an input or output that it does not have: ");
        rowforge_say_number(session, index, 10u);
        return ROWFORGE_INCONSISTENT;
    }
    if (!rowforge_read_record(session, table + index, 1u, &number) ||
        !rowforge_read_tensor(session, (uint32_t)number, tensor))
        return rowforge_fail(session, ROWFORGE_UNREADABLE);
    return ROWFORGE_OK;
}

int rowforge_input(rowforge_session *session, uint32_t index, rowforge_tensor *tensor)
{
    return listed_tensor(session, session->input_table, session->inputs, index, tensor);
}

int rowforge_output(rowforge_session *session, uint32_t index, rowforge_tensor *tensor)
{
    return listed_tensor(session, session->output_table, session->outputs, index, tensor);
}

uint32_t rowforge_inputs(const rowforge_session *session)
{
    return session->inputs;
}

uint32_t rowforge_outputs(const rowforge_session *session)
{
    return session->outputs;
}
