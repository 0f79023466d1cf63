"""What yosys makes of a configuration for the ECP5, counted block by block: `synthesise`.

Every block is flattened and synthesised by itself, so that it costs the same wherever it stands,
and the whole is the sum of the blocks. A board's build flattens all but the PEs, which saves some
LUTs where blocks meet.
"""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from compiler.cache.fingerprint import fingerprint
from compiler.cache.kept import kept
from hw.arch.config import Config
from hw.emit.yosys import run_yosys, yosys_version
from rowforge.area.cells import LUTS_OF, CellCount

Blocks = dict[str, CellCount]
"""Cells by the name of the block's module without prefix, all instances together."""

_TOP = "top"
_MODULE = re.compile(r"^module (\w+)\(.*?^endmodule$", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(rf"^  ({_TOP}\w*) \w+ \($", re.MULTILINE)
_PORT = re.compile(r"^  (?:input|output) .*;$", re.MULTILINE)
_PART = re.compile(rf"{_TOP}_(queue|ram_|delay_line)")  # of the block that it stands in
_PE = f"{_TOP}_pe"
_NUMBER = re.compile(r"_\d+$")  # of variants of a block
_SYNTHESIS = "synth_ecp5 -noabc9 -no-rw-check -nowidelut"


@dataclass(frozen=True)
class BlockTree:
    """The modules of a design, of which some are blocks and the others parts of these.

    texts : Verilog of each module by its name
    root : the module that holds all others
    """

    texts: Mapping[str, str]
    root: str

    @classmethod
    def of(cls, verilog: str, root: str = _TOP) -> "BlockTree":
        """The modules of emitted Verilog."""
        return cls({found[1]: found[0] for found in _MODULE.finditer(verilog)}, root)

    @cached_property
    def children(self) -> dict[str, Counter[str]]:
        """The modules that each module has instances of, and how many."""
        return {
            name: Counter(child for child in _INSTANCE.findall(text) if child in self.texts)
            for name, text in self.texts.items()
        }

    @cached_property
    def parts(self) -> frozenset[str]:
        """Modules that are no blocks: queues and memories, and all that a PE consists of."""
        found = {name for name in self.texts if _PART.match(name)}
        left = [_PE]
        while left:
            inner = list(self.children.get(left.pop(), ()))
            found.update(inner)
            left += inner
        return frozenset(found)

    @cached_property
    def counts(self) -> Counter[str]:
        """How many there are of each block in the whole design."""
        found: Counter[str] = Counter()
        left = [(self.root, 1)]
        while left:
            module, count = left.pop()
            if module not in self.parts:
                found[module] += count
            left += [(child, count * number) for child, number in self.children[module].items()]
        return found

    def alone(self, block: str) -> str:
        """Verilog of a block with its parts, and of blocks in it the ports."""
        found, left = {}, [block]
        while left:
            name = left.pop()
            if name in found:
                continue
            if name != block and name not in self.parts:
                found[name] = self._ports(name)
                continue
            found[name] = self.texts[name]
            left += self.children[name]
        return "\n".join(found.values())

    def _ports(self, name: str) -> str:
        text = self.texts[name]
        heading = text[: text.index(");") + 2]
        return "\n".join(["(* blackbox *)", heading, *_PORT.findall(text), "endmodule"])


def synthesise(config: Config) -> Blocks:
    """Cells of the accelerator of a configuration, without a board's link, by block.

    A new configuration takes some minutes; blocks that were synthesised before come from the user's
    cache folder. Raises `RowforgeError` if there is no yosys, or with its words if it fails.
    """
    from hw.emit.verilog import emit
    from hw.top.accelerator import AcceleratorCore  # slow to import

    return _synthesised(BlockTree.of(emit(AcceleratorCore(config), _TOP)))


def synthesise_pe(config: Config) -> CellCount:
    """Cells of a single PE; errors are those of `synthesise`."""
    from hw.emit.verilog import emit
    from hw.pe.kinds import pe_kind  # slow to import

    verilog = emit(pe_kind(config)(config), _PE)
    return sum(_synthesised(BlockTree.of(verilog, _PE)).values(), CellCount())


def _synthesised(hierarchy: BlockTree) -> Blocks:
    sources = {block: hierarchy.alone(block) for block in hierarchy.counts}
    missing: dict[str, str] = {}

    def look(block: str) -> CellCount:
        missing[block] = sources[block]
        raise KeyError(block)

    for block, source in sources.items():
        with suppress(KeyError):
            _kept(source, partial(look, block))
    counted = _cells(missing)
    found: dict[str, CellCount] = {}
    for block, source in sources.items():
        cells = _kept(source, partial(counted.__getitem__, block))
        name = _NUMBER.sub("", block.removeprefix(f"{_TOP}_"))
        found[name] = found.get(name, CellCount()) + cells * hierarchy.counts[block]
    return dict(sorted(found.items()))


def _kept(source: str, find: Callable[[], CellCount]) -> CellCount:
    return kept(
        "cells",
        (yosys_version(), _SYNTHESIS, _anonymous(source)),
        find,
        pack=asdict,
        unpack=lambda entry: CellCount(**entry),
        code=("hw/emit",),  # what yosys does follows from its version, the script and the text
    )


def _anonymous(source: str) -> str:
    """The digest of a text in which modules are told by their place, not by their name."""
    names = {found[1]: f"m{place}" for place, found in enumerate(_MODULE.finditer(source))}
    return fingerprint(re.sub(rf"\b{_TOP}\w*", lambda m: names.get(m[0], m[0]), source))


def _cells(sources: Mapping[str, str]) -> dict[str, CellCount]:
    """What yosys counts of blocks, each without the blocks in it."""
    with tempfile.TemporaryDirectory(prefix="rowforge-") as name:
        folder = Path(name)
        steps = []
        for place, (block, source) in enumerate(sources.items()):
            (folder / f"{place}.v").write_text(source)
            steps += ["design -reset", f"read_verilog {place}.v", f"{_SYNTHESIS} -top {block}"]
            steps.append(f"tee -q -o {place}.json stat -json")
        if steps:
            run_yosys("\n".join(steps), folder)
        return {
            block: counted(json.loads((folder / f"{place}.json").read_text())["design"])
            for place, block in enumerate(sources)
        }


def counted(statistics: Mapping[str, Any]) -> CellCount:
    """The cells of yosys' statistics of a design."""
    cells = {name.lstrip("\\"): n for name, n in statistics["num_cells_by_type"].items()}
    return CellCount(
        luts=sum(cells.get(name, 0) * each for name, each in LUTS_OF.items()),
        registers=cells.get("TRELLIS_FF", 0),
        block_rams=cells.get("DP16KD", 0),
        multipliers=cells.get("MULT18X18D", 0),
    )
