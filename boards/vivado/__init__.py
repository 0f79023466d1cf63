"""Xilinx parts: what a design takes of them, and the files for Vivado."""
