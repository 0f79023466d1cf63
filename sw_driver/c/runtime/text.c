/* Bits of words, texts, and the sentences of errors. */
#include "internal.h"

#include <string.h>

uint64_t rowforge_bits(uint64_t word, unsigned lsb, unsigned width)
{
    const uint64_t shifted = word >> lsb;
    return width < 64u ? shifted & (((uint64_t)1 << width) - 1u) : shifted;
}

int64_t rowforge_signed(uint64_t bits, unsigned width)
{
    const uint64_t sign = (uint64_t)1 << (width - 1u);
    if (!(bits & sign))
        return (int64_t)bits;
    /* The distance to -1 fits in the signed type, as the bits themselves may not. */
    return -1 - (int64_t)((sign - 1u) - (bits & (sign - 1u)));
}

double rowforge_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

int rowforge_same_text(const char *left, const char *right)
{
    return strcmp(left, right) == 0;
}

const char *rowforge_sentence(int code)
{
#define SENTENCE(number, name, sentence)                                                           \
    case number:                                                                                   \
        return sentence;
    switch (code) {
        ROWFORGE_ERRORS(SENTENCE)
    default:
        return "unknown error";
    }
#undef SENTENCE
}

void rowforge_say(rowforge_session *session, const char *text)
{
    size_t at = strlen(session->message);
    while (*text && at + 1u < sizeof session->message)
        session->message[at++] = *text++;
    session->message[at] = '\0';
}

void rowforge_say_number(rowforge_session *session, uint64_t number, unsigned base)
{
    char digits[24];
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do {
        *--at = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    if (base == 16u)
        rowforge_say(session, "0x");
    rowforge_say(session, at);
}

int rowforge_fail(rowforge_session *session, int code)
{
    session->message[0] = '\0';
    rowforge_say(session, rowforge_sentence(code));
    return code;
}

const char *rowforge_message(const rowforge_session *session)
{
    return session->message;
}
