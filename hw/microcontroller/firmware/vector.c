// VECTOR: operations on two operands and pooling.
#ifndef WITHOUT_VECTOR
#include "machine.h"

// A stored byte: lane `lane` of a buffer word.
static SMALL i32 stored(u32 word, u32 lane) {
    u32 flip = s.now.vector.is_signed << 7;
    return (i32)((buffer[(word * 4 + lane) & BYTE_MASK] ^ flip) - flip);
}

// Compute one output: window rows `top` to `bottom` and columns `left` to `right` of the word
// `at`, which is the window's row and column 0, with the right operand in `other`.
static i32 reduce(u32 at, i32 rows, i32 columns, u32 other, u32 lane) {
    const struct vector *command = &s.now.vector;
    u32 op = command->op;
    i32 zero = op == VECTOR_OP_ADD ? 0 : command->left_zero;
    i32 sum = 0;
    for (i32 y = 0; y < rows; y++) {
        for (i32 x = 0; x < columns; x++) {
            i32 value = stored(at + x, lane) - zero;
            if (op != VECTOR_OP_MAX)
                sum += value;
            else if (!(x | y) || value > sum)
                sum = value;
        }
        at += command->row_stride;
    }
    if (op > VECTOR_OP_MUL)
        return sum;
    i32 second = stored(other, lane);
    if (op == VECTOR_OP_ADD)
        return (i32)(TABLE_LEFT(tables[sum & 0xff]) + TABLE_RIGHT(tables[second & 0xff]));
    return sum * (second - command->right_zero);
}

// Clip `size` positions from `*first` + `origin` on to those that exist; returns how many do.
static i32 clip(i32 *first, i32 origin, i32 size, i32 limit) {
    *first += origin;
    i32 end = *first + size;
    if (end > limit)
        end = limit;
    if (*first < 0)
        *first = 0;
    return end - *first;
}

void vector(void) {
    struct vector *command = &s.now.vector;
    unpack(VECTOR_LAYOUT, s.words, command, 1);
    u32 op = command->op, mode = command->post.mode;
    if (op > VECTOR_OP_SUM)
        fail(STATUS_BAD_FIELD, op);
    if (mode == ROUNDING_WIDE16 || mode == ROUNDING_RAW || mode > ROUNDING_AFFINE)
        fail(STATUS_BAD_FIELD, mode);
    u32 window = op == VECTOR_OP_MAX || op == VECTOR_OP_SUM;
    for (u32 block = 0; block < command->blocks; block++) {
        for (u32 e = 0; e < command->rows; e++) {
            for (u32 f = 0; f < command->columns; f++) {
                i32 y = e * command->stride_y, x = f * command->stride_x, rows = 1, columns = 1;
                u32 other = command->right + block * command->right_plane_stride +
                            y * command->right_row_stride + x;
                if (window) {
                    rows = clip(&y, command->y, command->window_rows, command->height);
                    columns = clip(&x, command->x, command->window_columns, command->width);
                }
                u32 at = command->left + block * command->plane_stride + y * command->row_stride + x;
                u32 word = command->output + e * command->output_row_stride + f;
                for (u32 lane = 0; lane < 4; lane++) {
                    u32 channel = block * 4 + lane;
                    u32 entry = command->post.param;
                    if (command->by_count)
                        entry += rows * columns - 1;
                    else if (command->by_channel)
                        entry += channel;
                    finish(reduce(at, rows, columns, other, lane), &command->post, entry, word,
                           channel);
                }
            }
        }
    }
}
#endif
