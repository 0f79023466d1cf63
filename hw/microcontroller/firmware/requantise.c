// Accumulators to outputs in all rounding modes, by integers.
#include "machine.h"

// What `rounded` does with a half.
enum { EVEN = 0, UP = 0x7fffffff, DOWN = 0x80000000, FLOOR = 0xffffffff };

#define SATURATED (1u << 24) // beyond every clamp, whatever is added

// high:low / 2^amount for amounts below 64; at most 2^32 - 1. A fraction rounds up if it is more
// than `threshold` / 2^32, and `EVEN` stands for a half that goes to the even neighbour.
static SMALL u32 rounded(u32 high, u32 low, u32 amount, u32 threshold) {
    u32 fraction = 0, sticky = 0;
    if (amount >= 32) {
        fraction = low;
        low = high;
        high = 0;
        amount -= 32;
    }
    if (amount) {
        sticky = fraction << (32 - amount);
        fraction = fraction >> amount | low << (32 - amount);
        low = low >> amount | high << (32 - amount);
        high >>= amount;
    }
    if (high)
        return 0xffffffff;
    if (sticky)
        fraction |= 1;
    if (threshold == EVEN)
        threshold = DOWN - (low & 1);
    return low + (fraction > threshold);
}

// |sum| * scale as rint(float32(float32(sum) * scale)), `scale` the bits of a float32.
static u32 float_product(u32 magnitude, u32 scale) {
    u32 amount = 127 + 23 - 8 - 23; // right shift of the product's 24 bits for exponent field 0
    if (!magnitude)
        return 0;
    for (; !(magnitude >> 31); magnitude <<= 1)
        amount++;
    u32 significand = (scale & 0x7fffff) | 0x800000;
    magnitude = rounded(0, magnitude, 8, EVEN);
    u32 low, high = long_product(magnitude, significand, &low);
    u32 dropped = 23 + (high >> 15); // the product is in [2^46, 2^48)
    u32 product = rounded(high, low, dropped, EVEN);
    i32 right = (i32)(amount + 23 - dropped) - (i32)(scale >> 23);
    if (right < 0)
        return SATURATED;
    return rounded(0, product, right > 31 ? 31 : right, EVEN);
}

i32 requantise(i32 sum, const struct post *post, u32 entry) {
    const u32 *param = params[entry & PARAM_MASK];
    u32 multiplier = PARAM_MULTIPLIER(param);
    i32 bias = PARAM_BIAS(param), shift = PARAM_SHIFT(param);
    u32 mode = post->mode, affine = mode == ROUNDING_AFFINE;
    u32 negative = sum < 0;
    u32 magnitude;
    if (mode == ROUNDING_DIVIDE) {
        magnitude = (negative ? 0u - sum : (u32)sum) + bias;
    } else {
        sum = (i32)((u32)sum + (u32)bias);
        if (mode == ROUNDING_RAW)
            return sum;
        if (mode == ROUNDING_TFLM && shift > 0)
            sum = (i32)((u32)sum << shift);
        negative = sum < 0;
        magnitude = negative ? 0u - sum : (u32)sum;
    }
    u32 quotient;
    if (mode == ROUNDING_ORT) {
        quotient = float_product(magnitude, multiplier);
    } else {
        u32 half = mode == ROUNDING_DIVIDE ? FLOOR : UP + negative;
        u32 amount = mode == ROUNDING_TFLM ? 31 : 31 - shift;
        u32 low, high = long_product(magnitude - (affine & negative), multiplier, &low);
        if (affine) {
            // A negative sum has the magnitude (|sum| - 1) * multiplier + (multiplier - addend).
            u32 addend = PARAM_ADDEND(param);
            if (negative)
                addend = multiplier - addend;
            low += addend;
            high += low < addend;
            half = EVEN;
        }
        quotient = rounded(high, low, amount, half);
        if (mode == ROUNDING_TFLM && shift < 0)
            quotient = rounded(0, quotient, -shift, UP);
    }
    if (quotient > SATURATED)
        quotient = SATURATED;
    i32 value = (negative ? 0 - (i32)quotient : (i32)quotient) + post->zero_point;
    if (value < post->low)
        value = post->low;
    if (value > post->high)
        value = post->high;
    return value;
}

void finish(i32 sum, const struct post *post, u32 entry, u32 word, u32 channel) {
    u32 value = requantise(sum, post, entry);
    u32 raw = post->mode == ROUNDING_RAW;
    u32 lane = raw ? channel << 2 : channel;
    word = (word + (lane >> 2) * post->plane) & ADDRESS_MASK;
    s.events[COUNTER_GLB_ACT_WRITE_WORDS]++;
    tick_in_time();
    if (word >= ACTIVATION_WORDS)
        return; // as in hardware, where such a write reaches no bank
    if (raw)
        ((u32 *)buffer)[word] = value;
    else
        buffer[word * 4 + (lane & 3)] = value;
}
