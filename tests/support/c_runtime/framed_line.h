/* A line with a clock of its own, at the other end of standard output and input. */
#ifndef FRAMED_LINE_H
#define FRAMED_LINE_H

#include "rowforge_links.h"

rowforge_bytes simulated_line(void);

#endif
