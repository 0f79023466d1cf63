/* What the files of the runtime share. */
#ifndef ROWFORGE_INTERNAL_H
#define ROWFORGE_INTERNAL_H

#include "rowforge.h"

#define ROWFORGE_STEP_NAME_SIZE (ROWFORGE_PROGRAM_LONGEST_NAME + 1u)

/* A field of a record whose words are at `words`, with its sign or without. */
#define FIELD(words, record, field)                                                                \
    rowforge_bits((words)[ROWFORGE_##record##_##field##_WORD], ROWFORGE_##record##_##field##_LSB,  \
                  ROWFORGE_##record##_##field##_WIDTH)
#define FIELD32(words, record, field) ((uint32_t)FIELD(words, record, field))
#define SIGNED_FIELD(words, record, field)                                                         \
    rowforge_signed(FIELD(words, record, field), ROWFORGE_##record##_##field##_WIDTH)

/* ---- text.c: bits, texts, messages ----------------------------------------------------------- */

uint64_t rowforge_bits(uint64_t word, unsigned lsb, unsigned width);
int64_t rowforge_signed(uint64_t bits, unsigned width);
double rowforge_double(uint64_t bits);
int rowforge_same_text(const char *left, const char *right);

/* Note an error, with its sentence as the message, and return it. */
int rowforge_fail(rowforge_session *session, int code);
/* Add to the message. */
void rowforge_say(rowforge_session *session, const char *text);
void rowforge_say_number(rowforge_session *session, uint64_t number, unsigned base);

/* ---- access.c: the words of a program, records, tensors ----------------------------------------- */

/* So many words from a position on, at most ROWFORGE_CHUNK; NULL if they are not there. */
const uint64_t *rowforge_words(const rowforge_session *session, uint32_t first, uint32_t count,
                               uint64_t *space);
/* A text of the pool, cut where `space` ends; whether all of it was read. */
int rowforge_read_text(const rowforge_session *session, uint32_t position, char *space,
                       uint32_t size);
int rowforge_read_step(const rowforge_session *session, uint32_t number,
                       uint64_t words[ROWFORGE_STEP_WORDS]);
int rowforge_read_record(const rowforge_session *session, uint32_t position, uint32_t count,
                         uint64_t *words);
/* A tensor by its number; its place is checked when the program is loaded. */
int rowforge_read_tensor(const rowforge_session *session, uint32_t number, rowforge_tensor *tensor);
/* The constant of a tensor goes to its place, if it has one. */
int rowforge_place_constant(rowforge_session *session, uint32_t number);
void rowforge_copy(void *to, const void *from, uint32_t bytes);
void rowforge_clear(void *to, uint32_t bytes);

/* ---- check.c ----------------------------------------------------------------------------------- */

/* Whether all tables of a program make sense: nothing that a run does later leaves its bounds. */
int rowforge_check_program(rowforge_session *session, uint32_t memory);

/* ---- crc.c ------------------------------------------------------------------------------------- */

uint32_t rowforge_crc_bytes(uint32_t crc, const uint8_t *bytes, uint32_t count);
uint32_t rowforge_crc_word(uint32_t crc, uint64_t word);
#define ROWFORGE_CRC_START ROWFORGE_CRC_INITIAL

/* ---- walk.c: elements in the order of link words ------------------------------------------------ */

void rowforge_start_walk(rowforge_walk *walk, const uint64_t words[ROWFORGE_WALK_WORDS]);
/* Elements of a walk, those that are 0 included. */
uint64_t rowforge_walk_elements(const uint64_t words[ROWFORGE_WALK_WORDS]);
/* Whether every element is one of so many. */
int rowforge_walk_within(const uint64_t words[ROWFORGE_WALK_WORDS], uint32_t elements);
uint64_t rowforge_pack_word(rowforge_walk *walk, const uint8_t *data, uint32_t size);
void rowforge_unpack_word(rowforge_walk *walk, uint8_t *data, uint32_t size, uint64_t word);

/* ---- blocks.c: results -------------------------------------------------------------------------- */

/* Receive what is there. Returns how many words have come, or an error. */
int rowforge_receive_some(rowforge_session *session);
/* Receive until the blocks of the first `steps` steps are there. */
int rowforge_receive_until(rowforge_session *session, uint32_t steps);

/* ---- host.c, host_steps.c ----------------------------------------------------------------------- */

/* Compute a host step; with `check`, only say whether it can be. */
int rowforge_host(rowforge_session *session, uint32_t position, int check);

typedef int (*rowforge_built_in)(const rowforge_call *call, int check);
/* The runtime's own step of a name; NULL if it has none. */
rowforge_built_in rowforge_find_built_in(const char *name);

/* ---- fixed_point.c: numbers of int32 range in 64 bits, as `numerics.gemmlowp` has them ----------- */

int64_t rowforge_shifted_right(int64_t x, unsigned shift);
int64_t rowforge_scaled(int64_t x, int64_t multiplier, int shift);
int64_t rowforge_rounding_shift(int64_t x, unsigned exponent);
int64_t rowforge_high_product(int64_t a, int64_t b);
int64_t rowforge_exponential(int64_t a);
/* 1 / x = mantissa * 2^-exponent for x > 0 in Q12.19. */
int64_t rowforge_reciprocal(int64_t x, int *exponent);

#endif
