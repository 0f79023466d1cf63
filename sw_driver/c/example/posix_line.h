/* Lines of a Unix host as pipes of bytes: a serial device, or a TCP connection. */
#ifndef POSIX_LINE_H
#define POSIX_LINE_H

#include "rowforge_links.h"

typedef struct posix_line {
    int descriptor; /* non-blocking */
} posix_line;

/* Open `device` at a baud rate of termios; 0, or -1 with `errno`. */
int open_serial_line(posix_line *line, const char *device, unsigned long baud);

/* Connect to a host and a port; 0, or -1. */
int open_tcp_line(posix_line *line, const char *host, const char *port);

/* The bytes of an open line, which must live as long as they are used. */
rowforge_bytes bytes_of_line(posix_line *line);

void close_line(posix_line *line);

#endif
