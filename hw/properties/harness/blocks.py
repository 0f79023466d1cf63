"""The distinct blocks of a design, those that share their parent's module among them."""

from collections.abc import Hashable, Iterator
from typing import Any

from amaranth.hdl import Fragment

from hw.base.block import Block, ModulePlatform


class _Collecting(ModulePlatform):
    """Elaborates every distinct block once and keeps it."""

    def __init__(self) -> None:
        self.found: dict[Hashable, Block] = {}

    def register(self, block: Block) -> str:
        if block.module_key not in self.found:
            self.found[block.module_key] = block
            for part in _inlined(self.contents(block)):
                self.found.setdefault(part.module_key, part)
        return type(block).__name__

    def prefixed(self, name: str) -> str:
        return name

    def add_file(self, name: str, text: str) -> None:
        """Somebody else's Verilog is not a block."""


def _inlined(fragment: Any) -> Iterator[Block]:
    for child, _, _ in fragment.subfragments:
        for origin in getattr(child, "origins", None) or ():
            if isinstance(origin, Block):
                yield origin
        if isinstance(child, Fragment):
            yield from _inlined(child)


def distinct_blocks(top: Block) -> list[Block]:
    """One block of every class and set of arguments in a design, the top first.

    Blocks can be placed once: what is proven is made anew from their arguments.
    """
    platform = _Collecting()
    platform.register(top)
    return list(platform.found.values())
