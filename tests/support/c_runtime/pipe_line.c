#define _POSIX_C_SOURCE 200112L
#include "pipe_line.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

static int32_t write_bytes(void *context, const uint8_t *bytes, uint32_t count)
{
    const ssize_t taken = write(STDOUT_FILENO, bytes, count);
    (void)context;
    if (taken >= 0)
        return (int32_t)taken;
    return errno == EAGAIN ? 0 : -1;
}

static int32_t read_bytes(void *context, uint8_t *bytes, uint32_t count, uint32_t milliseconds)
{
    struct pollfd wanted;
    ssize_t came;
    (void)context;
    wanted.fd = STDIN_FILENO;
    wanted.events = POLLIN;
    if (poll(&wanted, 1, (int)milliseconds) <= 0)
        return 0;
    came = read(STDIN_FILENO, bytes, count);
    return came > 0 ? (int32_t)came : -1;
}

static uint32_t now(void *context)
{
    struct timespec time;
    (void)context;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint32_t)((uint64_t)time.tv_sec * 1000u + (uint64_t)time.tv_nsec / 1000000u);
}

rowforge_bytes pipe_bytes(void)
{
    rowforge_bytes bytes;
    fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) | O_NONBLOCK);
    bytes.write = write_bytes;
    bytes.read = read_bytes;
    bytes.now = now;
    bytes.context = NULL;
    return bytes;
}
