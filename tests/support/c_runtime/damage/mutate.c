/* Programs that a faulty writer could have written: none may lead the runtime out of its bounds.
 *
 *     mutate PROGRAM SEED COUNT
 *
 * Words of a good program are changed, and the checksum made to fit. What loads is run twice, on a
 * link that answers as the program calls for, or with anything. The sanitisers see what goes wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define MOST_MEMORY ((size_t)1 << 22)
#define MOST_WORDS 20000u

static rowforge_session session;
static uint64_t state;
static uint32_t moved;

static uint64_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static int tired(uint32_t words)
{
    moved += words;
    return moved > MOST_WORDS;
}

static int32_t send(void *context, const uint64_t *words, uint32_t count)
{
    volatile uint64_t sum = 0; /* every word is looked at */
    uint32_t i;
    (void)context;
    for (i = 0; i < count; i++)
        sum += words[i];
    if (tired(count + 1u))
        return ROWFORGE_LINK_BROKEN;
    return draw() % 8u ? (int32_t)count : 0;
}

/* The header of the block that comes next, mostly. */
static uint64_t header(void)
{
    uint64_t step[ROWFORGE_STEP_WORDS];
    uint32_t number;
    for (number = session.received; number < session.end; number++)
        if (rowforge_read_step(&session, number, step) && FIELD(step, STEP, BLOCK) && draw() % 32u)
            return FIELD(step, STEP, BLOCK) << ROWFORGE_RESULT_BLOCK_LSB |
                   FIELD(step, STEP, COUNT) << ROWFORGE_RESULT_LENGTH_LSB;
    return draw() % 4u ? draw() : draw() & 0xff00000107u;
}

static int32_t receive(void *context, uint64_t *words, uint32_t count)
{
    const uint32_t came = 1u + (uint32_t)(draw() % count);
    uint32_t i;
    (void)context;
    if (tired(came))
        return ROWFORGE_LINK_BROKEN;
    for (i = 0; i < came; i++)
        words[i] = draw();
    if (!session.left)
        words[0] = header();
    return (int32_t)came;
}

static int reset(void *context)
{
    (void)context;
    return ROWFORGE_OK;
}

/* What a program promises when it has been loaded. */
static void demand(int good)
{
    if (!good)
        abort();
}

static int compute(void *context, const rowforge_call *call)
{
    rowforge_tensor tensor;
    uint32_t i;
    (void)context;
    for (i = 0; i < call->inputs; i++)
        demand(!rowforge_call_input(call, i, &tensor));
    for (i = 0; i < call->outputs; i++) {
        demand(!rowforge_call_output(call, i, &tensor));
        memset(tensor.data, 1, tensor.elements * rowforge_element_size(tensor.type));
    }
    return draw() % 16u == 0u;
}

static uint64_t changed(uint64_t word, const uint64_t *words, uint32_t count)
{
    switch (draw() % 6u) {
    case 0:
        return word ^ (uint64_t)1 << (draw() % 2u ? draw() % 64u : draw() % 13u);
    case 1:
        return word + draw() % 9u - 4u;
    case 2:
        return words[draw() % count];
    case 3:
        return word ^ (draw() % 4096u) << draw() % 52u;
    case 4:
        return draw();
    default:
        return word | (uint64_t)0xffffffffu << draw() % 33u;
    }
}

/* The word that is changed: mostly one of the tables, which are few beside the pool. */
static uint32_t chosen(uint32_t words, uint32_t tables, uint32_t steps)
{
    const uint32_t end = words - 1u, first = 3u; /* the magic word and the versions stay */
    switch (draw() % 4u) {
    case 0:
        return first + (uint32_t)(draw() % (ROWFORGE_PROGRAM_WORDS - first));
    case 1:
        return tables + (uint32_t)(draw() % (steps - tables));
    default:
        return first + (uint32_t)(draw() % (end - first));
    }
}

static void try_program(const uint64_t *words, uint32_t count, unsigned long *loaded)
{
    static const rowforge_host_step steps[] = {{"slice", compute, NULL}, {"concat", compute, NULL}};
    rowforge_setup setup;
    rowforge_tensor tensor;
    uint32_t i;
    size_t size = words[ROWFORGE_PROGRAM_MEMORY_WORD] >> ROWFORGE_PROGRAM_MEMORY_LSB & 0xffffffffu;
    memset(&setup, 0, sizeof setup);
    setup.program = rowforge_program_in_memory(words, count);
    setup.link.send = send;
    setup.link.receive = receive;
    setup.link.reset = reset;
    setup.host_steps = steps;
    setup.host_step_count = sizeof steps / sizeof steps[0];
    setup.memory_size = size < MOST_MEMORY ? size : MOST_MEMORY;
    setup.memory = malloc(setup.memory_size ? setup.memory_size : 1u);
    if (!rowforge_load(&session, &setup)) {
        ++*loaded;
        moved = 0;
        memset(setup.memory, 3, setup.memory_size);
        for (i = 0; i < rowforge_inputs(&session); i++)
            demand(!rowforge_input(&session, i, &tensor));
        for (i = 0; i < rowforge_outputs(&session); i++)
            demand(!rowforge_output(&session, i, &tensor));
        rowforge_run(&session);
        rowforge_run(&session);
        rowforge_reset_states(&session);
    }
    free(setup.memory);
}

int main(int count, char **arguments)
{
    unsigned long number, loaded = 0, numbers;
    uint32_t words = 0, tables = 0, steps = 0;
    uint64_t *good, *bad;
    FILE *file;
    if (count != 4 || !(file = fopen(arguments[1], "rb")))
        return 99;
    good = malloc((size_t)1 << 24);
    while (good && words < (uint32_t)1 << 20 && fread(good + words, 8u, 1u, file) == 1u)
        words++; /* of a machine whose least significant byte comes first */
    fclose(file);
    bad = malloc((size_t)words * sizeof *bad); /* its own block, so that a word too far is seen */
    state = strtoul(arguments[2], NULL, 10) * 2u + 1u;
    numbers = strtoul(arguments[3], NULL, 10);
    for (number = 0; number < numbers && good && bad; number++) {
        uint32_t crc = ROWFORGE_CRC_START, i, changes = (uint32_t)(draw() % 3u);
        memcpy(bad, good, (size_t)words * sizeof *bad);
        for (i = 0; i <= changes && number; i++) {
            const uint32_t at = chosen(words, tables, steps);
            bad[at] = changed(bad[at], good, words);
        }
        for (i = 0; i + 1u < words; i++)
            crc = rowforge_crc_word(crc, bad[i]);
        bad[words - 1u] = (uint32_t)(crc ^ ROWFORGE_CRC_FINAL_XOR);
        try_program(bad, words, &loaded);
        if (!number) { /* the good one */
            demand(loaded == 1u);
            tables = session.input_table;
            steps = session.step_table;
        }
    }
    printf("%lu of %lu loaded\n", loaded, numbers);
    free(good);
    free(bad);
    return 0;
}
