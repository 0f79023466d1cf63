/* A transfer of the AXI link's DMA that goes on after the runtime has given up waiting for it.
 *
 * What was seen is told on standard output.
 */
#include <stdio.h>

#include "rowforge_links.h"

#define COUNT 4u
#define PATIENCE 10u

static uint64_t *target;
static uint32_t clock_ticks, resets, ended;
static int done;

static uint32_t read_register(void *context, uint32_t address)
{
    (void)context;
    switch (address) {
    case ROWFORGE_REGISTER_MAGIC_LOW:
        return (uint32_t)ROWFORGE_LINK_MAGIC;
    case ROWFORGE_REGISTER_MAGIC_HIGH:
        return (uint32_t)(ROWFORGE_LINK_MAGIC >> 32);
    default:
        return ROWFORGE_LINK_STATE_RESULT;
    }
}

static void write_register(void *context, uint32_t address, uint32_t value)
{
    (void)context;
    (void)value;
    resets += address == ROWFORGE_REGISTER_CONTROL && !target;
}

static int start_send(void *context, const uint64_t *words, uint32_t count)
{
    (void)context;
    (void)words;
    (void)count;
    return 0;
}

static int send_idle(void *context)
{
    (void)context;
    return 1;
}

static int start_receive(void *context, uint64_t *words, uint32_t count)
{
    (void)context;
    if (target || count != COUNT)
        return 1;
    target = words;
    return 0;
}

static void transfer(uint64_t word)
{
    uint32_t i;
    for (i = 0; i < COUNT; i++)
        target[i] = word;
}

static int receive_idle(void *context)
{
    (void)context;
    if (done) {
        transfer(9u);
        target = NULL;
    }
    return done;
}

static int end_transfers(void *context)
{
    (void)context;
    ended++;
    target = NULL;
    return 0;
}

static uint32_t now(void *context)
{
    (void)context;
    return clock_ticks++;
}

int main(void)
{
    static rowforge_axi axi;
    uint64_t words[COUNT] = {7u, 7u, 7u, 7u};
    rowforge_link link;
    axi.read = read_register;
    axi.write = write_register;
    axi.start_send = start_send;
    axi.send_idle = send_idle;
    axi.start_receive = start_receive;
    axi.receive_idle = receive_idle;
    axi.reset = end_transfers;
    axi.now = now;
    axi.patience = PATIENCE;
    if (rowforge_axi_open(&axi))
        return 1;
    printf("%lu ended %lu reset\n", (unsigned long)ended, (unsigned long)resets);
    link = rowforge_axi_link(&axi);
    printf("%d\n", link.receive(link.context, words, COUNT) == ROWFORGE_LINK_TIMEOUT);
    transfer(8u); /* too late */
    printf("%d %d\n", (int)words[0], (int)words[COUNT - 1u]);
    if (link.reset(link.context))
        return 1;
    printf("%lu ended %lu reset\n", (unsigned long)ended, (unsigned long)resets);
    done = 1;
    printf("%d\n", (int)link.receive(link.context, words, COUNT));
    printf("%d %d\n", (int)words[0], (int)words[COUNT - 1u]);
    return 0;
}
