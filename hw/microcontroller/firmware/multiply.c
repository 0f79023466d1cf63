// Products of 32 bits by the multiplier of 16 bits.
#include "machine.h"

// The product of the low halves.
static u32 product(u32 a, u32 b) {
    set(REGISTER_FACTORS, (u16)a | b << 16);
    return get(REGISTER_PRODUCT);
}

// What the compiler calls for `a * b`.
__attribute__((used)) u32 __mulsi3(u32 a, u32 b) {
    return product(a, b) + ((product(a >> 16, b) + product(a, b >> 16)) << 16);
}

SMALL u32 long_product(u32 a, u32 b, u32 *low) {
    u32 least = product(a, b);
    u32 first = product(a >> 16, b) + (least >> 16);
    u32 second = product(a, b >> 16) + (u16)first;
    *low = second << 16 | (u16)least;
    return product(a >> 16, b >> 16) + (first >> 16) + (second >> 16);
}
