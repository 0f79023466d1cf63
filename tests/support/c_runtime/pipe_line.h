/* Standard output and input as a pipe of bytes. */
#ifndef PIPE_LINE_H
#define PIPE_LINE_H

#include "rowforge_links.h"

rowforge_bytes pipe_bytes(void);

#endif
