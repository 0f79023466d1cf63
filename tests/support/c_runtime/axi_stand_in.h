/* Registers and DMA of the AXI wrapper over a pipe of bytes, as strict as the real ones. */
#ifndef AXI_STAND_IN_H
#define AXI_STAND_IN_H

#include "rowforge_links.h"

void stand_in(rowforge_axi *axi, uint32_t patience);

#endif
