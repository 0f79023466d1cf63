"""What carries the bytes: a serial line, a TCP connection, a Zynq's DMA."""
