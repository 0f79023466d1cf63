/* The runtime's own host steps, bit for bit as `numerics.host` computes them. */
#include "internal.h"

#include <float.h>

#if FLT_EVAL_METHOD != 0 || FLT_RADIX != 2 || FLT_MANT_DIG != 24 || DBL_MANT_DIG != 53
#error "quantise needs float and double of IEEE 754, computed in their own precision"
#endif

#define MOST_SOFTMAX 8191u /* values of a row, so that 32 bits hold the sum of exponentials */

/* ---- elements and parameters -------------------------------------------------------------------- */

/* The range of an integer type of at most 32 bits; 0 if it is none. */
static int limits(int type, int64_t *least, int64_t *most)
{
    const unsigned bits = 8u * rowforge_element_size(type);
    switch (type) {
    case ROWFORGE_ELEMENTTYPE_INT8:
    case ROWFORGE_ELEMENTTYPE_INT16:
    case ROWFORGE_ELEMENTTYPE_INT32:
        *most = ((int64_t)1 << (bits - 1u)) - 1;
        *least = -*most - 1;
        return 1;
    case ROWFORGE_ELEMENTTYPE_UINT8:
    case ROWFORGE_ELEMENTTYPE_UINT16:
    case ROWFORGE_ELEMENTTYPE_UINT32:
        *most = ((int64_t)1 << bits) - 1;
        *least = 0;
        return 1;
    default:
        return 0;
    }
}

static int64_t element(const rowforge_tensor *tensor, uint32_t index)
{
    const void *data = tensor->data;
    switch (tensor->type) {
    case ROWFORGE_ELEMENTTYPE_INT8:
        return ((const int8_t *)data)[index];
    case ROWFORGE_ELEMENTTYPE_INT16:
        return ((const int16_t *)data)[index];
    case ROWFORGE_ELEMENTTYPE_INT32:
        return ((const int32_t *)data)[index];
    case ROWFORGE_ELEMENTTYPE_UINT8:
        return ((const uint8_t *)data)[index];
    case ROWFORGE_ELEMENTTYPE_UINT16:
        return ((const uint16_t *)data)[index];
    default:
        return ((const uint32_t *)data)[index];
    }
}

/* The value goes to an element, which it fits. */
static void set_element(const rowforge_tensor *tensor, uint32_t index, int64_t value)
{
    void *data = tensor->data;
    switch (tensor->type) {
    case ROWFORGE_ELEMENTTYPE_INT8:
        ((int8_t *)data)[index] = (int8_t)value;
        break;
    case ROWFORGE_ELEMENTTYPE_INT16:
        ((int16_t *)data)[index] = (int16_t)value;
        break;
    case ROWFORGE_ELEMENTTYPE_INT32:
        ((int32_t *)data)[index] = (int32_t)value;
        break;
    case ROWFORGE_ELEMENTTYPE_UINT8:
        ((uint8_t *)data)[index] = (uint8_t)value;
        break;
    case ROWFORGE_ELEMENTTYPE_UINT16:
        ((uint16_t *)data)[index] = (uint16_t)value;
        break;
    default:
        ((uint32_t *)data)[index] = (uint32_t)value;
    }
}

static int64_t clamped(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* A parameter that is one integer from `least` to `most`; not 0 if there is no such. */
static int integer(const rowforge_call *call, const char *name, int64_t least, int64_t most,
                   int64_t *value)
{
    rowforge_parameter parameter;
    if (rowforge_find_parameter(call, name, &parameter) || parameter.count != 1u ||
        parameter.kind != ROWFORGE_PARAMETERKIND_INTEGERS ||
        rowforge_integer(call, &parameter, 0, value))
        return 1;
    return *value < least || *value > most;
}

static int real(const rowforge_call *call, const char *name, double *value)
{
    rowforge_parameter parameter;
    if (rowforge_find_parameter(call, name, &parameter) || parameter.count != 1u)
        return 1;
    return rowforge_real(call, &parameter, 0, value);
}

/* The one input and the one output of a call; not 0 if it has others. */
static int one_of_each(const rowforge_call *call, rowforge_tensor *input, rowforge_tensor *output)
{
    return call->inputs != 1u || call->outputs != 1u || rowforge_call_input(call, 0, input) ||
           rowforge_call_output(call, 0, output) || input->elements != output->elements;
}

/* ---- steps ------------------------------------------------------------------------------------- */

/* float32 to integers: round(x / float32(scale)), half away from zero, + zero_point, saturated. */
static int quantise(const rowforge_call *call, int check)
{
    rowforge_tensor input, output;
    int64_t zero_point, least, most;
    double scale;
    const float *x;
    uint32_t i;
    if (one_of_each(call, &input, &output) || input.type != ROWFORGE_ELEMENTTYPE_FLOAT32 ||
        !limits(output.type, &least, &most) || real(call, "scale", &scale) ||
        !((float)scale > 0.0f) || integer(call, "zero_point", least, most, &zero_point))
        return 1;
    x = (const float *)input.data;
    for (i = 0; i < output.elements && !check; i++) {
        const float ratio = x[i] / (float)scale;
        double bounded = ratio == ratio ? (double)ratio : 0.0; /* NaN becomes 0 */
        bounded = bounded < -2147483648.0 ? -2147483648.0 : bounded;
        bounded = bounded > 2147483648.0 ? 2147483648.0 : bounded;
        bounded += bounded < 0.0 ? -0.5 : 0.5;
        set_element(&output, i, clamped((int64_t)bounded + zero_point, least, most));
    }
    return 0;
}

/* Integers to float32: scale * (x - zero_point), the product in double. */
static int dequantise(const rowforge_call *call, int check)
{
    rowforge_tensor input, output;
    int64_t zero_point, least, most;
    double scale;
    float *y;
    uint32_t i;
    if (one_of_each(call, &input, &output) || output.type != ROWFORGE_ELEMENTTYPE_FLOAT32 ||
        !limits(input.type, &least, &most) || real(call, "scale", &scale) ||
        integer(call, "zero_point", least, most, &zero_point))
        return 1;
    y = (float *)output.data;
    for (i = 0; i < output.elements && !check; i++)
        y[i] = (float)(scale * (double)(element(&input, i) - zero_point));
    return 0;
}

typedef struct softmax_scale {
    int64_t multiplier, shift, least; /* bring differences to Q5.26; smaller ones do not count */
} softmax_scale;

static int64_t exponential(const softmax_scale *scale, int64_t difference)
{
    return rowforge_exponential(
        rowforge_scaled(difference, scale->multiplier, (int)scale->shift));
}

static void softmax_row(const rowforge_tensor *input, const rowforge_tensor *output, uint32_t first,
                        uint32_t columns, const softmax_scale *scale)
{
    const unsigned sum_bits = 12u, result_bits = 31u - 8u;
    int64_t largest = element(input, first), sum = 0, inverse, least = 0, most = 0;
    uint32_t i;
    int exponent;
    limits(output->type, &least, &most);
    for (i = 1; i < columns; i++)
        if (element(input, first + i) > largest)
            largest = element(input, first + i);
    for (i = 0; i < columns; i++) {
        const int64_t difference = element(input, first + i) - largest;
        if (difference >= scale->least)
            sum += rowforge_rounding_shift(exponential(scale, difference), sum_bits);
    }
    inverse = rowforge_reciprocal(sum, &exponent);
    for (i = 0; i < columns; i++) {
        const int64_t difference = element(input, first + i) - largest;
        int64_t quotient = 0;
        if (difference >= scale->least)
            quotient = rowforge_rounding_shift(
                rowforge_high_product(inverse, exponential(scale, difference)),
                (unsigned)(exponent + (int)result_bits));
        set_element(output, first + i, clamped(quotient + least, least, most));
    }
}

/* Integer softmax over the last axis; the output's scale is 1/256, its zero point the lowest. */
static int softmax(const rowforge_call *call, int check)
{
    rowforge_tensor input, output;
    softmax_scale scale;
    uint32_t columns, first;
    if (one_of_each(call, &input, &output) || !input.rank ||
        rowforge_element_size(input.type) != 1u || input.type == ROWFORGE_ELEMENTTYPE_BOOL ||
        rowforge_element_size(output.type) != 1u || output.type == ROWFORGE_ELEMENTTYPE_BOOL ||
        integer(call, "multiplier", 0, 0x7fffffff, &scale.multiplier) ||
        integer(call, "shift", -31, 31, &scale.shift) ||
        integer(call, "least", -0x7fffffff, 0, &scale.least))
        return 1;
    columns = input.shape[input.rank - 1u];
    if (!columns || columns > MOST_SOFTMAX)
        return 1;
    for (first = 0; first < input.elements && !check; first += columns)
        softmax_row(&input, &output, first, columns, &scale);
    return 0;
}

/* The same elements in another shape. */
static int reshape(const rowforge_call *call, int check)
{
    rowforge_tensor input, output;
    if (one_of_each(call, &input, &output) || input.type != output.type)
        return 1;
    if (!check)
        rowforge_copy(output.data, input.data, input.elements * rowforge_element_size(input.type));
    return 0;
}

rowforge_built_in rowforge_find_built_in(const char *name)
{
    static const struct {
        const char *name;
        rowforge_built_in compute;
    } steps[] = {
        {"quantise", quantise},
        {"dequantise", dequantise},
        {"softmax", softmax},
        {"reshape", reshape},
    };
    size_t i;
    for (i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (rowforge_same_text(steps[i].name, name))
            return steps[i].compute;
    return NULL;
}
