"""The whole accelerator, and its forms for a serial line and for AXI."""
