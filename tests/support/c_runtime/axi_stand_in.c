#define _POSIX_C_SOURCE 200112L
#include "axi_stand_in.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipe_line.h"

#define MOST (64u * 8u)
#define SILENCE 50u /* milliseconds */

static rowforge_bytes bytes;
static uint8_t leaving[MOST], coming[MOST];
static uint32_t leaving_at, leaving_count, coming_count, wanted, packet;
static uint64_t *target;

/* A transfer that the hardware would not take ends the test. */
static void demand(int good)
{
    if (!good)
        abort();
}

static uint32_t read_register(void *context, uint32_t address)
{
    struct pollfd there;
    (void)context;
    switch (address) {
    case ROWFORGE_REGISTER_MAGIC_LOW:
        return (uint32_t)ROWFORGE_LINK_MAGIC;
    case ROWFORGE_REGISTER_MAGIC_HIGH:
        return (uint32_t)(ROWFORGE_LINK_MAGIC >> 32);
    default:
        demand(address == ROWFORGE_REGISTER_STATE);
        there.fd = STDIN_FILENO;
        there.events = POLLIN;
        return poll(&there, 1, 1) > 0 ? ROWFORGE_LINK_STATE_RESULT : 0u;
    }
}

static void write_register(void *context, uint32_t address, uint32_t value)
{
    (void)context;
    if (address == ROWFORGE_REGISTER_CONTROL) {
        uint8_t dropped[MOST];
        demand(value == 1u && !wanted && !leaving_count);
        while (bytes.read(NULL, dropped, sizeof dropped, SILENCE) > 0)
            ; /* results that were under way are gone with the accelerator's reset */
        return;
    }
    demand(address == ROWFORGE_REGISTER_PACKET && value && value == wanted);
    packet = value;
}

static int send_idle(void *context)
{
    (void)context;
    if (leaving_count) {
        const int32_t taken = bytes.write(NULL, leaving + leaving_at, leaving_count);
        demand(taken >= 0);
        leaving_at += (uint32_t)taken;
        leaving_count -= (uint32_t)taken;
    }
    return !leaving_count;
}

static int start_send(void *context, const uint64_t *words, uint32_t count)
{
    uint32_t i;
    demand(!leaving_count && count && 8u * count <= MOST);
    for (i = 0; i < 8u * count; i++)
        leaving[i] = (uint8_t)(words[i / 8u] >> 8u * (i % 8u));
    leaving_at = 0;
    leaving_count = 8u * count;
    return send_idle(context) < 0;
}

static int start_receive(void *context, uint64_t *words, uint32_t count)
{
    (void)context;
    demand(!wanted && count && 8u * count <= MOST);
    target = words;
    wanted = count;
    coming_count = packet = 0;
    return 0;
}

static int receive_idle(void *context)
{
    uint32_t i;
    send_idle(context);
    if (packet && coming_count < 8u * wanted) {
        const int32_t came = bytes.read(NULL, coming + coming_count, 8u * wanted - coming_count, 1u);
        demand(came >= 0);
        coming_count += (uint32_t)came;
    }
    if (!packet || coming_count < 8u * wanted)
        return 0;
    memset(target, 0, 8u * wanted);
    for (i = 0; i < 8u * wanted; i++)
        target[i / 8u] |= (uint64_t)coming[i] << 8u * (i % 8u);
    wanted = 0;
    return 1;
}

/* Words leave whole, or the pipe's other end would take the next ones for their rest. */
static int end_transfers(void *context)
{
    while (!send_idle(context))
        ;
    wanted = coming_count = packet = 0;
    return 0;
}

void stand_in(rowforge_axi *axi, uint32_t patience)
{
    bytes = pipe_bytes();
    memset(axi, 0, sizeof *axi);
    axi->read = read_register;
    axi->write = write_register;
    axi->start_send = start_send;
    axi->send_idle = send_idle;
    axi->start_receive = start_receive;
    axi->receive_idle = receive_idle;
    axi->reset = end_transfers;
    axi->now = bytes.now;
    axi->patience = patience;
}
