/* An example for a Unix host: runs the program of `program.c` on a board.
 *
 *     cc -std=c99 -O2 *.c -o run
 *     ./run serial /dev/ttyUSB0 3000000 <inputs >outputs
 *     ./run tcp 127.0.0.1 5555 <inputs >outputs
 *
 * The inputs of a run are the elements of all its input tensors, in the program's order, as this
 * machine stores them; the outputs of a run leave in the same form. It runs until the inputs end.
 * Exit status: 0; 1 after an error; 2 if the inputs end within a run.
 */
#define _POSIX_C_SOURCE 200112L
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "posix_line.h"
#include "program.h"
#include "rowforge.h"

#define TCP_SPEED 1000000u /* bytes a second */
#define TCP_LATENCY 500u   /* milliseconds */
#define SERIAL_LATENCY 100u
#define BITS_OF_A_BYTE 10u /* on a serial line */
#define PATIENCE 600000u   /* milliseconds */

#define FAILED 1
#define INPUTS_TOO_SHORT 2

static posix_line line;
static rowforge_framed framed;
static rowforge_session session;
static uint64_t memory[(ROWFORGE_MEMORY_SIZE + 7u) / 8u]; /* aligned to 8 bytes */

static int complain(int status, const char *sentence)
{
    fprintf(stderr, "run: %s\n", sentence);
    return status;
}

/* Open the line that the arguments name; 0 if that worked. */
static int open_line(char **arguments)
{
    framed.patience = PATIENCE;
    if (!strcmp(arguments[1], "tcp")) {
        framed.bytes_per_second = TCP_SPEED;
        framed.latency = TCP_LATENCY;
        return open_tcp_line(&line, arguments[2], arguments[3]);
    }
    if (!strcmp(arguments[1], "serial")) {
        const unsigned long baud = strtoul(arguments[3], NULL, 10);
        framed.bytes_per_second = (uint32_t)(baud / BITS_OF_A_BYTE);
        framed.latency = SERIAL_LATENCY;
        return open_serial_line(&line, arguments[2], baud);
    }
    return -1;
}

/* Read the inputs of a run: 1 if they are there, 0 if there are no more, -1 if some are missing. */
static int read_inputs(void)
{
    uint32_t i;
    for (i = 0; i < rowforge_inputs(&session); i++) {
        rowforge_tensor tensor;
        size_t came;
        if (rowforge_input(&session, i, &tensor))
            return -1;
        came = fread(tensor.data, rowforge_element_size(tensor.type), tensor.elements, stdin);
        if (came != tensor.elements)
            return i || came ? -1 : 0;
    }
    return i != 0u;
}

static int write_outputs(void)
{
    uint32_t i;
    for (i = 0; i < rowforge_outputs(&session); i++) {
        rowforge_tensor tensor;
        if (rowforge_output(&session, i, &tensor) ||
            fwrite(tensor.data, rowforge_element_size(tensor.type), tensor.elements, stdout) !=
                tensor.elements)
            return -1;
    }
    return fflush(stdout);
}

int main(int count, char **arguments)
{
    rowforge_setup setup;
    int error, there = 0;
    /* A reader of the outputs or a board that goes away is an error of a write, not the end. */
    signal(SIGPIPE, SIG_IGN);
    if (count != 4 || open_line(arguments))
        return complain(FAILED, "cannot open the line: name `serial DEVICE BAUD` or `tcp HOST PORT`");
    framed.bytes = bytes_of_line(&line);
    error = rowforge_framed_open(&framed, (uint32_t)time(NULL));
    if (error)
        return complain(FAILED, rowforge_sentence(error));
    memset(&setup, 0, sizeof setup);
    setup.program = rowforge_program_in_memory(rowforge_program_words, ROWFORGE_PROGRAM_SIZE);
    setup.link = rowforge_framed_link(&framed);
    setup.memory = memory;
    setup.memory_size = sizeof memory;
    setup.run_number = (uint16_t)time(NULL);
    error = rowforge_load(&session, &setup);
    while (!error && (there = read_inputs()) > 0) {
        error = rowforge_run(&session);
        if (!error && write_outputs())
            return complain(FAILED, "cannot write the outputs");
    }
    close_line(&line);
    if (error)
        return complain(FAILED, rowforge_message(&session));
    if (ferror(stdin))
        return complain(FAILED, "cannot read the inputs");
    return there < 0 ? complain(INPUTS_TOO_SHORT, "the inputs end within a run") : 0;
}
