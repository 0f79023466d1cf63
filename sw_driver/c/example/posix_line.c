#define _POSIX_C_SOURCE 200112L
#define _DEFAULT_SOURCE /* rates above 38,400 baud */

#include "posix_line.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define WRITE_WAIT 100 /* milliseconds */

static int32_t write_bytes(void *context, const uint8_t *bytes, uint32_t count)
{
    const posix_line *line = context;
    const ssize_t taken = write(line->descriptor, bytes, count);
    struct pollfd wanted;
    if (taken >= 0)
        return (int32_t)taken;
    if (errno != EAGAIN && errno != EINTR)
        return -1;
    wanted.fd = line->descriptor;
    wanted.events = POLLOUT;
    poll(&wanted, 1, WRITE_WAIT);
    return 0;
}

static int32_t read_bytes(void *context, uint8_t *bytes, uint32_t count, uint32_t milliseconds)
{
    const posix_line *line = context;
    struct pollfd wanted;
    ssize_t came;
    int ready;
    wanted.fd = line->descriptor;
    wanted.events = POLLIN;
    ready = poll(&wanted, 1, (int)milliseconds);
    if (ready <= 0)
        return ready < 0 && errno != EINTR ? -1 : 0;
    came = read(line->descriptor, bytes, count);
    if (came > 0)
        return (int32_t)came;
    return came < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static uint32_t now(void *context)
{
    struct timespec time;
    (void)context;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint32_t)((uint64_t)time.tv_sec * 1000u + (uint64_t)time.tv_nsec / 1000000u);
}

rowforge_bytes bytes_of_line(posix_line *line)
{
    rowforge_bytes bytes;
    bytes.write = write_bytes;
    bytes.read = read_bytes;
    bytes.now = now;
    bytes.context = line;
    return bytes;
}

static int set_non_blocking(int descriptor)
{
    const int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

int open_tcp_line(posix_line *line, const char *host, const char *port)
{
    struct addrinfo wanted, *found = NULL, *at;
    line->descriptor = -1;
    memset(&wanted, 0, sizeof wanted);
    wanted.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, port, &wanted, &found))
        return -1;
    for (at = found; at && line->descriptor < 0; at = at->ai_next) {
        const int descriptor = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
        if (descriptor >= 0 && !connect(descriptor, at->ai_addr, at->ai_addrlen) &&
            !set_non_blocking(descriptor))
            line->descriptor = descriptor;
        else if (descriptor >= 0)
            close(descriptor);
    }
    freeaddrinfo(found);
    return line->descriptor < 0 ? -1 : 0;
}

static int speed_of(unsigned long baud, speed_t *speed)
{
    static const struct {
        unsigned long baud;
        speed_t speed;
    } speeds[] = {
        {9600, B9600},
        {19200, B19200},
        {38400, B38400},
        {57600, B57600},
        {115200, B115200},
        {230400, B230400},
#ifdef B1000000
        {460800, B460800},
        {921600, B921600},
        {1000000, B1000000},
        {2000000, B2000000},
        {3000000, B3000000},
#endif
    };
    size_t i;
    for (i = 0; i < sizeof speeds / sizeof speeds[0]; i++)
        if (speeds[i].baud == baud) {
            *speed = speeds[i].speed;
            return 0;
        }
    errno = EINVAL;
    return -1;
}

int open_serial_line(posix_line *line, const char *device, unsigned long baud)
{
    struct termios settings;
    speed_t speed;
    if (speed_of(baud, &speed))
        return -1;
    line->descriptor = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (line->descriptor < 0)
        return -1;
    if (tcgetattr(line->descriptor, &settings) == 0) {
        settings.c_iflag = 0;
        settings.c_oflag = 0;
        settings.c_lflag = 0;
        settings.c_cflag = CS8 | CREAD | CLOCAL;
        settings.c_cc[VMIN] = 1;
        settings.c_cc[VTIME] = 0;
        if (!cfsetispeed(&settings, speed) && !cfsetospeed(&settings, speed) &&
            !tcsetattr(line->descriptor, TCSANOW, &settings))
            return 0;
    }
    close_line(line);
    return -1;
}

void close_line(posix_line *line)
{
    if (line->descriptor >= 0)
        close(line->descriptor);
    line->descriptor = -1;
}
