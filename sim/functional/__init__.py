"""Functional executor: runs a command stream bit for bit, without time.

It is written from `docs/architecture.md`, not from the gateware, and serves as an oracle for the
compiler and beside the RTL.
"""

from sim.functional.accelerator import FunctionalAccelerator
from sim.functional.errors import SemanticsError

__all__ = ["FunctionalAccelerator", "SemanticsError"]
