/* CRC-32 as in Ethernet and zlib, half a byte at a time and without a table. */
#include "internal.h"

static uint32_t step(uint32_t crc, unsigned half)
{
    uint32_t next = (crc ^ half) & 15u;
    unsigned bit;
    for (bit = 0; bit < 4u; bit++)
        next = next & 1u ? (uint32_t)(next >> 1 ^ ROWFORGE_CRC_POLYNOMIAL) : next >> 1;
    return crc >> 4 ^ next;
}

uint32_t rowforge_crc_bytes(uint32_t crc, const uint8_t *bytes, uint32_t count)
{
    uint32_t i;
    for (i = 0; i < count; i++) {
        crc = step(crc, bytes[i] & 15u);
        crc = step(crc, (unsigned)bytes[i] >> 4);
    }
    return crc;
}

uint32_t rowforge_crc_word(uint32_t crc, uint64_t word)
{
    unsigned shift;
    for (shift = 0; shift < 64u; shift += 4u)
        crc = step(crc, (unsigned)(word >> shift) & 15u);
    return crc;
}
