/* Runs a program for the tests: words go by standard output and input.
 *
 *     harness PROGRAM INPUTS OUTPUTS RUNS OPTIONS HOST_STEPS ASK ANSWER
 *
 * OPTIONS are letters:
 *
 *     f  the program is read from its file as it is needed
 *     a  by a stand-in of the AXI wrapper, not by a pipe
 *     l  by frames over a line that the other end simulates
 *     k  go on after an error, which is told
 *     s  states start anew before each run
 *     o  something else has used the accelerator before each run
 *     m  with a byte of memory too little
 *     c  with a word of the program too few
 *
 * Host steps with the names in HOST_STEPS, separated by commas, are computed by who reads what is
 * written to the descriptor ASK, and writes what is read from ANSWER. Words of counter blocks are
 * told on standard error.
 */
#define _POSIX_C_SOURCE 200112L
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "axi_stand_in.h"
#include "framed_line.h"
#include "pipe_line.h"
#include "rowforge_links.h"

#define MOST_NAMES 64
#define PATIENCE 60000u
#define LINE_SPEED 300000u
#define LINE_LATENCY 2u

static rowforge_session session;
static rowforge_host_step host_steps[MOST_NAMES];
static int ask_descriptor, answer_descriptor;

/* ---- the program, from its file or in memory ------------------------------------------------------ */

static const uint64_t *words_of_file(const void *context, uint32_t first, uint32_t count,
                                     uint64_t *space)
{
    FILE *file = *(FILE *const *)context;
    uint32_t i, byte;
    if (fseek(file, 8L * (long)first, SEEK_SET))
        return NULL;
    for (i = 0; i < count; i++) {
        space[i] = 0;
        for (byte = 0; byte < 8u; byte++) {
            const int next = fgetc(file);
            if (next < 0)
                return NULL;
            space[i] |= (uint64_t)next << 8u * byte;
        }
    }
    return space;
}

static rowforge_program open_program(const char *path, int in_memory)
{
    static FILE *file;
    static uint64_t *words;
    rowforge_program program;
    uint32_t i;
    long size;
    file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0)
        exit(99);
    program.words = words_of_file;
    program.context = &file;
    program.count = (uint32_t)(size / 8);
    if (!in_memory)
        return program;
    words = malloc((size_t)size + 8u); /* its own block, so that a word too far is seen */
    for (i = 0; i < program.count; i++)
        if (!words || !words_of_file(&file, i, 1u, words + i))
            exit(99);
    return rowforge_program_in_memory(words, program.count);
}

/* ---- host steps of the tests' ------------------------------------------------------------------- */

static void tell(const void *data, size_t size)
{
    const char *at = data;
    while (size) {
        const ssize_t taken = write(ask_descriptor, at, size);
        if (taken <= 0)
            exit(98);
        at += taken;
        size -= (size_t)taken;
    }
}

static void tell_text(const char *text)
{
    tell(text, strlen(text));
}

static void tell_tensor(const rowforge_tensor *tensor)
{
    char line[160];
    uint32_t axis;
    snprintf(line, sizeof line, "tensor %d %lu", tensor->type,
             (unsigned long)(tensor->elements * rowforge_element_size(tensor->type)));
    tell_text(line);
    for (axis = 0; axis < tensor->rank; axis++) {
        snprintf(line, sizeof line, " %lu", (unsigned long)tensor->shape[axis]);
        tell_text(line);
    }
    tell_text("\n");
}

static int tell_parameter(const rowforge_call *call, uint32_t index)
{
    rowforge_parameter parameter;
    char line[160], text[64];
    uint32_t i;
    if (rowforge_call_parameter(call, index, &parameter))
        return 1;
    snprintf(line, sizeof line, "parameter %s %d", parameter.name, parameter.kind);
    tell_text(line);
    for (i = 0; i < parameter.count; i++) {
        int64_t integer = 0;
        double real = 0;
        if (parameter.kind == ROWFORGE_PARAMETERKIND_TEXT) {
            if (rowforge_text(call, &parameter, text, sizeof text))
                return 1;
            snprintf(line, sizeof line, " %s", text);
        } else if (parameter.kind == ROWFORGE_PARAMETERKIND_REALS) {
            if (rowforge_real(call, &parameter, i, &real))
                return 1;
            snprintf(line, sizeof line, " %.17g", real);
        } else {
            if (rowforge_integer(call, &parameter, i, &integer))
                return 1;
            snprintf(line, sizeof line, " %lld", (long long)integer);
        }
        tell_text(line);
    }
    tell_text("\n");
    return 0;
}

static int ask(void *context, const rowforge_call *call)
{
    rowforge_tensor tensor;
    uint32_t i;
    (void)context;
    tell_text("step ");
    tell_text(call->name);
    tell_text("\n");
    for (i = 0; i < call->parameters; i++)
        if (tell_parameter(call, i))
            return 1;
    for (i = 0; i < call->inputs; i++) {
        if (rowforge_call_input(call, i, &tensor))
            return 1;
        tell_tensor(&tensor);
        tell(tensor.data, tensor.elements * rowforge_element_size(tensor.type));
    }
    tell_text("end\n");
    for (i = 0; i < call->outputs; i++) {
        char *at;
        size_t size;
        if (rowforge_call_output(call, i, &tensor))
            return 1;
        at = tensor.data;
        size = tensor.elements * rowforge_element_size(tensor.type);
        while (size) {
            const ssize_t came = read(answer_descriptor, at, size);
            if (came <= 0)
                return 1;
            at += came;
            size -= (size_t)came;
        }
    }
    return 0;
}

static uint32_t name_host_steps(char *names)
{
    uint32_t count = 0;
    char *name;
    for (name = strtok(names, ","); name && count < MOST_NAMES; name = strtok(NULL, ",")) {
        host_steps[count].name = name;
        host_steps[count++].compute = ask;
    }
    return count;
}

static void tell_counter(void *context, int32_t layer, uint32_t index, uint64_t word)
{
    (void)context;
    fprintf(stderr, "counter %ld %lu %llu\n", (long)layer, (unsigned long)index,
            (unsigned long long)word);
}

/* ---- runs ----------------------------------------------------------------------------------------- */

static int complain(int error)
{
    fprintf(stderr, "error %d: %s\n", error, rowforge_message(&session));
    return -error;
}

static void move_tensors(FILE *file, int outputs)
{
    uint32_t i;
    const uint32_t count = outputs ? rowforge_outputs(&session) : rowforge_inputs(&session);
    for (i = 0; i < count; i++) {
        rowforge_tensor tensor;
        size_t moved;
        if (outputs ? rowforge_output(&session, i, &tensor) : rowforge_input(&session, i, &tensor))
            exit(97);
        moved = outputs ? fwrite(tensor.data, rowforge_element_size(tensor.type), tensor.elements,
                                 file)
                        : fread(tensor.data, rowforge_element_size(tensor.type), tensor.elements,
                                file);
        if (moved != tensor.elements)
            exit(97);
    }
}

static int open_link(const char *options, rowforge_link *link)
{
    static rowforge_pipe pipe;
    static rowforge_axi axi;
    static rowforge_framed framed;
    rowforge_bytes bytes;
    int error = 0;
    if (strchr(options, 'a')) {
        stand_in(&axi, PATIENCE);
        error = rowforge_axi_open(&axi);
        *link = rowforge_axi_link(&axi);
    } else if (strchr(options, 'l')) {
        framed.bytes = simulated_line();
        framed.bytes_per_second = LINE_SPEED;
        framed.latency = LINE_LATENCY;
        framed.patience = PATIENCE;
        error = rowforge_framed_open(&framed, 123456789u);
        *link = rowforge_framed_link(&framed);
    } else {
        bytes = pipe_bytes();
        *link = rowforge_pipe_link(&pipe, &bytes, PATIENCE);
    }
    return error;
}

int main(int count, char **arguments)
{
    rowforge_setup setup;
    FILE *inputs, *outputs;
    const char *options;
    long run, runs;
    int error;
    if (count != 9)
        return 99;
    ask_descriptor = atoi(arguments[7]);
    answer_descriptor = atoi(arguments[8]);
    options = arguments[5];
    inputs = fopen(arguments[2], "rb");
    outputs = fopen(arguments[3], "wb");
    runs = strtol(arguments[4], NULL, 10);
    if (!inputs || !outputs)
        return 99;
    memset(&setup, 0, sizeof setup);
    setup.program = open_program(arguments[1], !strchr(options, 'f'));
    setup.program.count -= strchr(options, 'c') != NULL;
    error = open_link(options, &setup.link);
    if (error) {
        fprintf(stderr, "error %d: %s\n", error, rowforge_sentence(error));
        return -error;
    }
    /* As much as the program says that it needs, in a block of its own. */
    rowforge_load(&session, &setup);
    setup.memory_size = (size_t)strtoul(strrchr(rowforge_message(&session), 'n') + 1, NULL, 10);
    setup.memory = malloc(setup.memory_size + 1u);
    setup.memory_size -= strchr(options, 'm') != NULL;
    setup.host_steps = host_steps;
    setup.host_step_count = name_host_steps(arguments[6]);
    setup.counters = tell_counter;
    setup.run_number = 65534u;
    error = rowforge_load(&session, &setup);
    if (error)
        return complain(error);
    for (run = 0; run < runs; run++) {
        move_tensors(inputs, 0);
        if (strchr(options, 's'))
            rowforge_reset_states(&session);
        if (strchr(options, 'o'))
            rowforge_forget(&session);
        error = rowforge_run(&session);
        if (error && !strchr(options, 'k'))
            return complain(error);
        if (error)
            complain(error);
        else
            move_tensors(outputs, 1);
    }
    fprintf(stderr, "cycles %llu\n", (unsigned long long)rowforge_cycles(&session));
    fclose(outputs);
    free(setup.memory);
    return 0;
}
