"""A compiled program: what it holds, its file, and how its data lie in words."""

from hw.arch.program.program import (
    Box,
    Host,
    Layer,
    Load,
    Program,
    ProgramState,
    Query,
    Send,
    Step,
    Store,
    TensorSpec,
    Words,
)

__all__ = [
    "Box",
    "Host",
    "Layer",
    "Load",
    "Program",
    "ProgramState",
    "Query",
    "Send",
    "Step",
    "Store",
    "TensorSpec",
    "Words",
]
