"""The FPGA families of the open flow."""
