/* Fixed-point arithmetic of int32 range, value for value that of `numerics.gemmlowp`. */
#include "internal.h"

#define MOST_INT32 ((int64_t)0x7fffffff)
#define LEAST_INT32 (-MOST_INT32 - 1)

/* x / 2^shift rounded down: C leaves the right shift of a negative number open. */
int64_t rowforge_shifted_right(int64_t x, unsigned shift)
{
    return x >= 0 ? x >> shift : -1 - ((-1 - x) >> shift);
}

/* x * 2^shift reduced to the signed 32-bit range, as an int32 wraps. */
static int64_t wrapped_left(int64_t x, unsigned shift)
{
    return rowforge_signed(((uint64_t)x << shift) & 0xffffffffu, 32u);
}

/* (a * b) / 2^31 rounded half up, towards zero after the nudge. */
int64_t rowforge_high_product(int64_t a, int64_t b)
{
    const int64_t product = a * b;
    const int64_t nudged =
        product + (product >= 0 ? (int64_t)1 << 30 : 1 - ((int64_t)1 << 30));
    const int64_t quotient = nudged / ((int64_t)1 << 31);
    return quotient < MOST_INT32 ? quotient : MOST_INT32;
}

/* x / 2^exponent rounded to nearest, ties away from zero. */
int64_t rowforge_rounding_shift(int64_t x, unsigned exponent)
{
    const int64_t mask = ((int64_t)1 << exponent) - 1;
    const int64_t threshold = (mask >> 1) + (x < 0);
    const int64_t below = rowforge_shifted_right(x, exponent);
    return below + (x - below * (mask + 1) > threshold);
}

/* x * multiplier * 2^(shift - 31) with two roundings. */
int64_t rowforge_scaled(int64_t x, int64_t multiplier, int shift)
{
    const unsigned left = shift > 0 ? (unsigned)shift : 0u;
    const unsigned right = shift < 0 ? (unsigned)-shift : 0u;
    return rowforge_rounding_shift(rowforge_high_product(wrapped_left(x, left), multiplier), right);
}

/* x * 2^exponent, saturated to the int32 range. */
static int64_t saturated_left(int64_t x, unsigned exponent)
{
    const int64_t threshold = ((int64_t)1 << (31u - exponent)) - 1;
    if (x > threshold)
        return MOST_INT32;
    return x < -threshold ? LEAST_INT32 : x * ((int64_t)1 << exponent);
}

/* exp(a) for a in [-1/4, 0), Q0.31: Taylor series about -1/8 to the fourth order. */
static int64_t exponential_near_minus_eighth(int64_t a)
{
    const int64_t exp_minus_eighth = 1895147668, one_third = 715827883;
    const int64_t x = a + ((int64_t)1 << 28);
    const int64_t x2 = rowforge_high_product(x, x);
    const int64_t x3 = rowforge_high_product(x2, x);
    const int64_t x4 = rowforge_high_product(x2, x2);
    const int64_t quarter = rowforge_rounding_shift(x4, 2u);
    const int64_t tail =
        rowforge_rounding_shift(rowforge_high_product(quarter + x3, one_third) + x2, 1u);
    return exp_minus_eighth + rowforge_high_product(x + tail, exp_minus_eighth);
}

/* exp(a) for a <= 0 in Q5.26, as Q0.31. */
int64_t rowforge_exponential(int64_t a)
{
    /* exp(-2^k) in Q0.31, k = -2 ... 4 */
    static const int64_t factors[] = {1672461947, 1302514674, 790015084, 290630308,
                                      39332535,   720401,     242};
    const int64_t quarter = (int64_t)1 << 24;
    const int64_t fraction = a - rowforge_shifted_right(a, 24u) * quarter - quarter;
    const int64_t remainder = fraction - a;
    int64_t result = exponential_near_minus_eighth(fraction * 32);
    unsigned k;
    if (!a)
        return MOST_INT32;
    for (k = 0; k < sizeof factors / sizeof factors[0]; k++)
        if (remainder >> (24u + k) & 1)
            result = rowforge_high_product(result, factors[k]);
    return result;
}

/* 1 / (1 + a) for a in [0, 1), Q0.31: three Newton-Raphson steps. */
static int64_t one_over_one_plus(int64_t a)
{
    const int64_t forty_eight_seventeenths = 1515870810, minus_thirty_two_seventeenths = -1010580540;
    const int64_t half_denominator = (a + MOST_INT32 + 1) / 2;
    int64_t x = forty_eight_seventeenths +
                rowforge_high_product(half_denominator, minus_thirty_two_seventeenths);
    int i;
    for (i = 0; i < 3; i++) {
        const int64_t error = ((int64_t)1 << 29) - rowforge_high_product(half_denominator, x);
        x += saturated_left(rowforge_high_product(x, error), 2u);
    }
    return saturated_left(x, 1u);
}

int64_t rowforge_reciprocal(int64_t x, int *exponent)
{
    const int integer_bits = 12;
    int headroom = 0;
    while (headroom < 32 && !(x >> (31 - headroom) & 1))
        headroom++;
    *exponent = integer_bits - headroom;
    return one_over_one_plus(x * ((int64_t)1 << headroom) - ((int64_t)1 << 31));
}
