/* The AXI wrapper: registers, and a DMA that moves words. */
#include "internal.h"
#include "rowforge_links.h"

#include <string.h>

/* Nothing has moved: 0, or a timeout if that has lasted too long. */
static int32_t waited(rowforge_axi *axi)
{
    const uint32_t now = axi->now(axi->context);
    if (!axi->waiting)
        axi->waiting_since = now;
    axi->waiting = 1;
    return now - axi->waiting_since > axi->patience ? ROWFORGE_LINK_TIMEOUT : 0;
}

static int32_t send(void *context, const uint64_t *words, uint32_t count)
{
    rowforge_axi *axi = context;
    if (!axi->send_idle(axi->context))
        return 0; /* `receive` is called next, and waits */
    axi->waiting = 0;
    if (axi->start_send(axi->context, words, count))
        return ROWFORGE_LINK_BROKEN;
    return (int32_t)count;
}

static int32_t receive(void *context, uint64_t *words, uint32_t count)
{
    rowforge_axi *axi = context;
    uint32_t started;
    if (!(axi->read(axi->context, ROWFORGE_REGISTER_STATE) & ROWFORGE_LINK_STATE_RESULT))
        return waited(axi);
    axi->waiting = 0;
    if (count > ROWFORGE_CHUNK)
        count = ROWFORGE_CHUNK;
    /* The last word that PACKET lets pass ends the DMA's transfer. */
    if (axi->start_receive(axi->context, axi->incoming, count))
        return ROWFORGE_LINK_BROKEN;
    axi->write(axi->context, ROWFORGE_REGISTER_PACKET, count);
    started = axi->now(axi->context);
    while (!axi->receive_idle(axi->context))
        if (axi->now(axi->context) - started > axi->patience)
            return ROWFORGE_LINK_TIMEOUT;
    memcpy(words, axi->incoming, count * sizeof *words);
    return (int32_t)count;
}

static int reset(void *context)
{
    rowforge_axi *axi = context;
    axi->waiting = 0;
    /* First of all the transfers: one that is under way would go on with the next run's words. */
    if (axi->reset(axi->context))
        return ROWFORGE_LINK_BROKEN;
    axi->write(axi->context, ROWFORGE_REGISTER_CONTROL, 1u);
    return ROWFORGE_OK;
}

int rowforge_axi_open(rowforge_axi *axi)
{
    const uint64_t low = axi->read(axi->context, ROWFORGE_REGISTER_MAGIC_LOW);
    const uint64_t high = axi->read(axi->context, ROWFORGE_REGISTER_MAGIC_HIGH);
    if ((high << 32 | low) != ROWFORGE_LINK_MAGIC)
        return ROWFORGE_OTHER_PROTOCOL;
    return reset(axi);
}

rowforge_link rowforge_axi_link(rowforge_axi *axi)
{
    rowforge_link link;
    link.send = send;
    link.receive = receive;
    link.reset = reset;
    link.context = axi;
    return link;
}
