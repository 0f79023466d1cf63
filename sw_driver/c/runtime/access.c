/* The words of a program, its records, and its tensors. */
#include "internal.h"

#include <string.h>

static const uint64_t *in_memory(const void *context, uint32_t first, uint32_t count,
                                 uint64_t *space)
{
    (void)count;
    (void)space;
    return (const uint64_t *)context + first;
}

rowforge_program rowforge_program_in_memory(const uint64_t *words, uint32_t count)
{
    rowforge_program program;
    program.words = in_memory;
    program.context = words;
    program.count = count;
    return program;
}

const uint64_t *rowforge_words(const rowforge_session *session, uint32_t first, uint32_t count,
                               uint64_t *space)
{
    const rowforge_program *program = &session->setup.program;
    if (count > ROWFORGE_CHUNK || first > program->count || count > program->count - first)
        return NULL;
    return program->words(program->context, first, count, space);
}

int rowforge_read_record(const rowforge_session *session, uint32_t position, uint32_t count,
                         uint64_t *words)
{
    uint64_t space[ROWFORGE_CHUNK];
    const uint64_t *found = rowforge_words(session, position, count, space);
    if (!found)
        return 0;
    memcpy(words, found, count * sizeof *words);
    return 1;
}

int rowforge_read_step(const rowforge_session *session, uint32_t number,
                       uint64_t words[ROWFORGE_STEP_WORDS])
{
    const uint32_t position = session->step_table + number * ROWFORGE_STEP_WORDS;
    return rowforge_read_record(session, position, ROWFORGE_STEP_WORDS, words);
}

int rowforge_read_text(const rowforge_session *session, uint32_t position, char *space,
                       uint32_t size)
{
    uint64_t word = 0;
    uint32_t at;
    for (at = 0; at < size; at++) {
        if (at % 8u == 0u && !rowforge_read_record(session, position + at / 8u, 1u, &word))
            break;
        space[at] = (char)(word >> 8u * (at % 8u) & 255u);
        if (!space[at])
            return 1;
    }
    if (size)
        space[at < size ? at : size - 1u] = '\0';
    return 0;
}

uint32_t rowforge_element_size(int type)
{
    switch (type) {
    case ROWFORGE_ELEMENTTYPE_BOOL:
    case ROWFORGE_ELEMENTTYPE_INT8:
    case ROWFORGE_ELEMENTTYPE_UINT8:
        return 1;
    case ROWFORGE_ELEMENTTYPE_INT16:
    case ROWFORGE_ELEMENTTYPE_UINT16:
        return 2;
    case ROWFORGE_ELEMENTTYPE_INT32:
    case ROWFORGE_ELEMENTTYPE_UINT32:
    case ROWFORGE_ELEMENTTYPE_FLOAT32:
        return 4;
    case ROWFORGE_ELEMENTTYPE_INT64:
    case ROWFORGE_ELEMENTTYPE_UINT64:
    case ROWFORGE_ELEMENTTYPE_FLOAT64:
        return 8;
    default:
        return 0;
    }
}

int rowforge_read_tensor(const rowforge_session *session, uint32_t number, rowforge_tensor *tensor)
{
    uint64_t record[ROWFORGE_TENSOR_WORDS], sizes[ROWFORGE_PROGRAM_MOST_RANK];
    uint32_t axis;
    if (number >= session->tensors ||
        !rowforge_read_record(session, ROWFORGE_PROGRAM_WORDS + number * ROWFORGE_TENSOR_WORDS,
                              ROWFORGE_TENSOR_WORDS, record))
        return 0;
    memset(tensor, 0, sizeof *tensor);
    tensor->type = (int)FIELD(record, TENSOR, TYPE);
    tensor->elements = FIELD32(record, TENSOR, ELEMENTS);
    tensor->rank = FIELD32(record, TENSOR, RANK);
    tensor->scale = rowforge_double(FIELD(record, TENSOR, SCALE));
    tensor->zero_point = (int32_t)SIGNED_FIELD(record, TENSOR, ZERO_POINT);
    tensor->data = (uint8_t *)session->setup.memory + FIELD32(record, TENSOR, PLACE);
    if (tensor->rank > ROWFORGE_PROGRAM_MOST_RANK ||
        !rowforge_read_record(session, FIELD32(record, TENSOR, SHAPE), tensor->rank, sizes))
        return 0;
    for (axis = 0; axis < tensor->rank; axis++)
        tensor->shape[axis] = (uint32_t)sizes[axis];
    return 1;
}

/* An element of the pool, whose bytes stand there least significant first. */
static void place_element(uint8_t *to, uint64_t bits, uint32_t size)
{
    const uint8_t one = (uint8_t)bits;
    const uint16_t two = (uint16_t)bits;
    const uint32_t four = (uint32_t)bits;
    const void *from = size == 1u   ? (const void *)&one
                       : size == 2u ? (const void *)&two
                       : size == 4u ? (const void *)&four
                                    : (const void *)&bits;
    memcpy(to, from, size);
}

int rowforge_place_constant(rowforge_session *session, uint32_t number)
{
    uint64_t record[ROWFORGE_TENSOR_WORDS], word = 0;
    rowforge_tensor tensor;
    uint32_t size, position, i;
    if (!rowforge_read_record(session, ROWFORGE_PROGRAM_WORDS + number * ROWFORGE_TENSOR_WORDS,
                              ROWFORGE_TENSOR_WORDS, record) ||
        !rowforge_read_tensor(session, number, &tensor))
        return 0;
    position = FIELD32(record, TENSOR, CONSTANT);
    if (!position)
        return 1;
    size = rowforge_element_size(tensor.type);
    for (i = 0; i < tensor.elements; i++) {
        const uint32_t byte = i * size;
        if (byte % 8u == 0u && !rowforge_read_record(session, position + byte / 8u, 1u, &word))
            return 0;
        place_element((uint8_t *)tensor.data + byte, word >> 8u * (byte % 8u), size);
    }
    return 1;
}

void rowforge_copy(void *to, const void *from, uint32_t bytes)
{
    memmove(to, from, bytes);
}

void rowforge_clear(void *to, uint32_t bytes)
{
    memset(to, 0, bytes);
}
