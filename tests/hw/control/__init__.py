"""Tests of the control path of the gateware."""
