/* A session over frames: one request at a time, each answered once, none done twice. */
#include "frames.h"

#include <string.h>

#define SILENCE 1500u       /* milliseconds without a byte after which a link counts as unplugged */
#define SHORTEST 50u        /* milliseconds of the last try before that */
#define LONGEST 120000u     /* milliseconds that one try may last, however lively the line */
#define MOST_DAMAGED 64u    /* damaged tries of one request */
#define WITHDRAW_AFTER 6u   /* damaged tries of a WRITE before a PING takes its number */
#define OPENINGS 8u         /* other clients that may come first */
#define SMALLEST_WINDOW 8u  /* words in a frame that a bad line still carries */
#define FIRST_WINDOW 64u    /* words in a frame before anything is known of the line */
#define CLEAN 4u            /* exchanges without damage before frames grow */
#define WAIT 64u            /* units of the protocol that the device waits for a result word */
#define LINE_PARTS 4u       /* a frame takes at most this part of a second on a slow line */
#define STATUS_REPLY 8u     /* words that a reply to STATUS has at most */
#define SEQUENCES 0xffffu

/* Outcomes of a try; errors are negative. */
#define ANSWERED 0
#define FRAME_DAMAGED 1
#define SILENT 2

static uint32_t now(const rowforge_framed *framed)
{
    return framed->bytes.now(framed->bytes.context);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t next_number(rowforge_framed *framed)
{
    framed->sequence = (framed->sequence + 1u) & SEQUENCES;
    return framed->sequence;
}

/* ---- one exchange ------------------------------------------------------------------------------ */

/* What a frame means to a request: ANSWERED, FRAME_DAMAGED, SILENT for one that is of no matter, or
 * an error. */
static int judge(const rowforge_framed *framed, const rowforge_frame *request)
{
    const rowforge_frame *reply = &framed->reply;
    const int known = reply->opcode == (request->opcode | ROWFORGE_LINK_REPLY);
    /* The WRITE that a PING replaces was done after all. */
    const int late = request->opcode == ROWFORGE_LINKOPCODE_PING &&
                     reply->opcode == (ROWFORGE_LINKOPCODE_WRITE | ROWFORGE_LINK_REPLY);
    int ours;
    if (reply->opcode == (ROWFORGE_LINK_NAK | ROWFORGE_LINK_REPLY))
        return reply->status == ROWFORGE_LINKSTATUS_IN_USE ? ROWFORGE_LINK_BUSY : FRAME_DAMAGED;
    if (reply->sequence != request->sequence || !(known || late))
        return SILENT;
    if (reply->status == ROWFORGE_LINKSTATUS_BAD_VERSION)
        return ROWFORGE_OTHER_PROTOCOL;
    ours = reply->session == request->session || request->opcode == ROWFORGE_LINKOPCODE_STATUS;
    if (ours == (reply->status == ROWFORGE_LINKSTATUS_BAD_SESSION))
        return SILENT;
    return ANSWERED;
}

/* Take a byte of the line: whether it ends a frame. */
static int ends_frame(rowforge_framed *framed, uint8_t byte)
{
    if (!byte)
        return framed->arrived != 0u;
    if (framed->arrived < sizeof framed->arriving)
        framed->arriving[framed->arrived] = byte;
    if (framed->arrived <= sizeof framed->arriving)
        framed->arrived++; /* one more than fits: too long to be a frame */
    return 0;
}

/* The answer to a request; any byte that comes renews the patience. */
static int listen(rowforge_framed *framed, const rowforge_frame *request, uint32_t patience)
{
    const uint32_t start = now(framed);
    for (;;) {
        int32_t came;
        while (framed->raw_at < framed->raw_count) {
            int outcome;
            if (!ends_frame(framed, framed->raw[framed->raw_at++]))
                continue;
            outcome = rowforge_decode_frame(framed) ? judge(framed, request) : FRAME_DAMAGED;
            framed->arrived = 0;
            if (outcome != SILENT)
                return outcome;
        }
        came = framed->bytes.read(framed->bytes.context, framed->raw, sizeof framed->raw, patience);
        if (came < 0)
            return ROWFORGE_LINK_BROKEN;
        framed->raw_at = 0;
        framed->raw_count = (uint32_t)came;
        if (!came || now(framed) - start > LONGEST) {
            framed->arrived = 0;
            return SILENT;
        }
        framed->heard = now(framed);
    }
}

static int write_request(rowforge_framed *framed)
{
    uint32_t at = 0;
    const uint32_t start = now(framed);
    while (at < framed->request_bytes) {
        const int32_t taken = framed->bytes.write(framed->bytes.context, framed->request + at,
                                                  framed->request_bytes - at);
        if (taken < 0)
            return ROWFORGE_LINK_BROKEN;
        at += (uint32_t)taken;
        if (!taken && now(framed) - start > LONGEST)
            return ROWFORGE_LINK_TIMEOUT;
    }
    return ROWFORGE_OK;
}

/* Milliseconds for a request and its reply of so many words, half as many again. */
static uint32_t line_time(const rowforge_framed *framed, uint32_t words)
{
    const uint64_t bytes = (uint64_t)framed->request_bytes + rowforge_line_bytes(words);
    const uint32_t speed = framed->bytes_per_second ? framed->bytes_per_second : 1u;
    return (uint32_t)(bytes * 1500u / speed) + framed->latency + 1u;
}

/* Half as many words after damage, more after clean exchanges. */
static void note_line(rowforge_framed *framed, int damaged)
{
    if (damaged) {
        framed->window = framed->window / 2u > SMALLEST_WINDOW ? framed->window / 2u
                                                               : least(SMALLEST_WINDOW, framed->most);
        framed->clean = 0;
    } else if (++framed->clean >= CLEAN) {
        framed->window = least(framed->window * 2u, framed->most);
        framed->clean = 0;
    }
}

/* Send a request until its reply is there, which may be that of a PING in place of a WRITE. */
static int exchange(rowforge_framed *framed, rowforge_frame *request, const uint64_t *payload,
                    uint32_t reply_words)
{
    uint32_t patience, damaged = 0;
    rowforge_encode_frame(framed, request, payload);
    patience = line_time(framed, reply_words);
    framed->heard = now(framed);
    for (;;) {
        int outcome = write_request(framed);
        if (!outcome)
            outcome = listen(framed, request, patience);
        if (outcome <= ANSWERED) {
            if (!outcome)
                note_line(framed, damaged != 0u);
            framed->requests += !outcome;
            return outcome;
        }
        framed->retries++;
        if (outcome == SILENT) {
            const uint32_t silence = now(framed) - framed->heard;
            if (silence >= SILENCE)
                return ROWFORGE_LINK_TIMEOUT;
            patience = least(patience + patience / 2u, SILENCE - silence > SHORTEST
                                                           ? SILENCE - silence
                                                           : SHORTEST);
            continue;
        }
        if (++damaged == MOST_DAMAGED)
            return ROWFORGE_LINK_CORRUPTED;
        if (damaged == WITHDRAW_AFTER && request->opcode == ROWFORGE_LINKOPCODE_WRITE) {
            request->opcode = ROWFORGE_LINKOPCODE_PING;
            request->length = 0;
            rowforge_encode_frame(framed, request, payload);
        }
    }
}

/* A request of the session; its outcome is OK or BUSY, or an error. */
static int request(rowforge_framed *framed, unsigned opcode, const uint64_t *payload,
                   uint32_t words, uint32_t count)
{
    rowforge_frame frame;
    int error;
    memset(&frame, 0, sizeof frame);
    frame.opcode = opcode;
    frame.sequence = next_number(framed);
    frame.session = framed->session;
    frame.length = words;
    frame.count = count;
    frame.wait = count ? WAIT : 0u;
    error = exchange(framed, &frame, payload, count);
    if (error)
        return error;
    if (framed->reply.status == ROWFORGE_LINKSTATUS_BAD_SESSION) {
        framed->lost = framed->reply.session != 0u;
        return ROWFORGE_SESSION_LOST;
    }
    if (framed->reply.status != ROWFORGE_LINKSTATUS_OK &&
        framed->reply.status != ROWFORGE_LINKSTATUS_BUSY)
        return ROWFORGE_LINK_REFUSED;
    framed->room = framed->reply.count;
    return ROWFORGE_OK;
}

/* ---- sessions ---------------------------------------------------------------------------------- */

/* What the device says of itself: how many words frames may have. */
static int ask_status(rowforge_framed *framed)
{
    uint64_t status[ROWFORGE_LINK_STATUS_WORDS];
    rowforge_frame frame;
    uint32_t i, line = framed->bytes_per_second / LINE_PARTS / 8u;
    int error;
    memset(&frame, 0, sizeof frame);
    frame.opcode = ROWFORGE_LINKOPCODE_STATUS;
    frame.sequence = next_number(framed);
    error = exchange(framed, &frame, NULL, STATUS_REPLY);
    if (error)
        return error;
    if (framed->reply.status != ROWFORGE_LINKSTATUS_OK ||
        framed->reply.length < ROWFORGE_LINK_STATUS_WORDS)
        return ROWFORGE_LINK_REFUSED;
    for (i = 0; i < ROWFORGE_LINK_STATUS_WORDS; i++)
        status[i] = rowforge_reply_word(framed, i);
    if (FIELD(status, LINK_STATUS, MAGIC) != ROWFORGE_LINK_MAGIC)
        return ROWFORGE_OTHER_PROTOCOL;
    framed->most = least(FIELD32(status, LINK_STATUS, REQUEST_WORDS),
                         FIELD32(status, LINK_STATUS, REPLY_WORDS));
    framed->most = least(framed->most, line > SMALLEST_WINDOW ? line : SMALLEST_WINDOW);
    framed->most = least(framed->most, ROWFORGE_FRAME_PAYLOAD);
    if (!framed->most)
        return ROWFORGE_LINK_REFUSED;
    framed->window = least(FIRST_WINDOW, framed->most);
    framed->clean = 0;
    return ROWFORGE_OK;
}

static int open_session(rowforge_framed *framed, uint32_t nonce)
{
    uint32_t epoch = 1, i;
    const uint32_t epochs = (uint32_t)1 << ROWFORGE_LINK_EPOCH_BITS;
    nonce = nonce % (((uint32_t)1 << (32u - ROWFORGE_LINK_EPOCH_BITS)) - 1u) + 1u;
    for (i = 0; i < OPENINGS; i++) {
        rowforge_frame frame;
        int error;
        memset(&frame, 0, sizeof frame);
        frame.opcode = ROWFORGE_LINKOPCODE_OPEN;
        frame.sequence = next_number(framed);
        frame.session = nonce << ROWFORGE_LINK_EPOCH_BITS | epoch;
        error = exchange(framed, &frame, NULL, 0);
        if (error)
            return error;
        if (framed->reply.status == ROWFORGE_LINKSTATUS_OK) {
            framed->session = frame.session;
            framed->room = framed->reply.count;
            return ROWFORGE_OK;
        }
        epoch = (framed->reply.session + 1u) % epochs;
    }
    return ROWFORGE_LINK_BUSY;
}

static void forget_words(rowforge_framed *framed)
{
    framed->pending_count = framed->results_at = framed->results_count = 0;
    framed->stuck = 0;
}

int rowforge_framed_open(rowforge_framed *framed, uint32_t nonce)
{
    int error;
    framed->sequence = nonce & SEQUENCES;
    framed->request_number = nonce;
    framed->window = framed->most = SMALLEST_WINDOW;
    framed->clean = framed->arrived = framed->raw_at = framed->raw_count = 0;
    framed->requests = framed->retries = 0;
    framed->lost = 0;
    forget_words(framed);
    error = ask_status(framed);
    return error ? error : open_session(framed, nonce);
}

/* ---- the link ----------------------------------------------------------------------------------- */

/* A frame of what waits leaves, if the device has room. */
static int write_frame(rowforge_framed *framed)
{
    const uint32_t words = least(least(framed->window, framed->room), framed->pending_count);
    int error;
    if (!words)
        return ROWFORGE_OK;
    error = request(framed, ROWFORGE_LINKOPCODE_WRITE, framed->pending, words, 0);
    if (error)
        return error;
    if (framed->reply.status == ROWFORGE_LINKSTATUS_OK &&
        framed->reply.opcode == (ROWFORGE_LINKOPCODE_WRITE | ROWFORGE_LINK_REPLY)) {
        framed->pending_count -= words;
        memmove(framed->pending, framed->pending + words,
                framed->pending_count * sizeof *framed->pending);
        framed->stuck = 0;
    }
    return ROWFORGE_OK;
}

static int32_t send(void *context, const uint64_t *words, uint32_t count)
{
    rowforge_framed *framed = context;
    if (framed->pending_count >= framed->window) {
        const int error = write_frame(framed);
        if (error)
            return error;
    }
    count = least(count, ROWFORGE_FRAME_PAYLOAD - framed->pending_count);
    memcpy(framed->pending + framed->pending_count, words, count * sizeof *words);
    framed->pending_count += count;
    return (int32_t)count;
}

/* Results that are there come into `results`. */
static int read_frame(rowforge_framed *framed)
{
    const uint32_t before = framed->room;
    uint32_t i;
    int error = request(framed, ROWFORGE_LINKOPCODE_READ, NULL, 0, framed->window);
    if (error)
        return error;
    if (framed->reply.length > ROWFORGE_FRAME_PAYLOAD)
        return ROWFORGE_LINK_REFUSED;
    for (i = 0; i < framed->reply.length; i++)
        framed->results[i] = rowforge_reply_word(framed, i);
    framed->results_at = 0;
    framed->results_count = framed->reply.length;
    if (framed->reply.length || framed->room > before) {
        framed->stuck = 0;
        return ROWFORGE_OK;
    }
    if (!framed->stuck)
        framed->stuck_since = now(framed);
    framed->stuck = 1;
    return now(framed) - framed->stuck_since > framed->patience ? ROWFORGE_LINK_TIMEOUT
                                                                : ROWFORGE_OK;
}

static int32_t receive(void *context, uint64_t *words, uint32_t count)
{
    rowforge_framed *framed = context;
    if (framed->results_at == framed->results_count) {
        const int error = framed->pending_count && framed->room ? write_frame(framed)
                                                                : read_frame(framed);
        if (error)
            return error;
    }
    count = least(count, framed->results_count - framed->results_at);
    memcpy(words, framed->results + framed->results_at, count * sizeof *words);
    framed->results_at += count;
    return (int32_t)count;
}

/* Reset the accelerator; begin a new session if that does not get through. */
static int reset(void *context)
{
    rowforge_framed *framed = context;
    if (framed->lost)
        return ROWFORGE_SESSION_LOST;
    forget_words(framed);
    if (!request(framed, ROWFORGE_LINKOPCODE_RESET, NULL, 0, 0))
        return ROWFORGE_OK;
    return framed->lost ? ROWFORGE_SESSION_LOST
                        : rowforge_framed_open(framed, framed->request_number + 1u);
}

rowforge_link rowforge_framed_link(rowforge_framed *framed)
{
    rowforge_link link;
    link.send = send;
    link.receive = receive;
    link.reset = reset;
    link.context = framed;
    return link;
}
