"""What bounds the slowest layers, and the least change that removes the bound: `suggestions`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.energy import Technology
from hw.arch.errors import RowforgeError
from rowforge.estimation import estimate
from rowforge.page.exhibit import Exhibit
from rowforge.page.price import price
from rowforge.running.progress import Progress

BOUNDS = {
    "compute": "the multipliers: every PE of a pass has work in nearly every cycle",
    "ifmap": "the ifmap network, which brings activations to the PEs",
    "filter": "the filter network, which brings weights to the PEs",
    "psum_in": "the network that brings psums from the buffer to the columns",
    "psum_out": "the network that takes psums out of the columns",
    "vector": "the vector engine, which computes a window or a pair at a time",
    "post": "requantisation",
    "link": "the link: words cross it for longer than the layer computes",
}
"""In words, what a layer's `bound` is."""

_WIDER = ("noc.ifmap", "noc.filter", "noc.psum_in", "noc.psum_out", "post.units")
_MOST = 8  # of these


@dataclass(frozen=True)
class Candidate:
    """A change of some fields."""

    values: dict[str, Any]

    def __str__(self) -> str:
        return ", ".join(f"{name} = {value}" for name, value in self.values.items())


def candidates(config: Config, bound: str) -> Iterator[Candidate]:
    """Changes that may remove a bound, the smaller first; some are refused by `Config`."""
    if bound == "compute":
        yield from _larger(config)
    elif bound == "link":
        depth = config.buffer.depth
        yield Candidate({"link.width": 64})
        yield Candidate({"buffer.depth": 2 * depth})
        yield Candidate({"buffer.depth": 4 * depth})
    else:
        first = {f"noc.{bound}": None, "vector": None}
        names = [name for name in _WIDER if name in first]
        names += [name for name in _WIDER if name not in names]
        for name in names if bound != "vector" else ("post.units",):
            width = int(config.value(name))
            while (width := 2 * width) <= _MOST:
                yield Candidate({name: width})


def _larger(config: Config) -> Iterator[Candidate]:
    """More multipliers, the fewest first."""
    found: dict[tuple[int, int, int], Candidate] = {}
    rows, cols = config.array.rows, config.array.cols
    for quarters in (5, 6, 8, 12, 16):
        for name, size, other in (("array.cols", cols, rows), ("array.rows", rows, cols)):
            larger = max(size * quarters // 4, size + 1)
            found[larger * other, larger, len(name)] = Candidate({name: larger})
    if config.pe.macs == 1:
        found[2 * rows * cols, 0, 0] = Candidate({"pe.macs": 2})
    known = dict.fromkeys(str(found[key]) for key in sorted(found))
    by_text = {str(candidate): candidate for candidate in found.values()}
    yield from (by_text[said] for said in known)


def suggestions(
    exhibit: Exhibit, options: CompileOptions, table: Technology | None, *, search: bool
) -> list[dict[str, Any]]:
    """For each of the five slowest layers what bounds it and, if searched for, what removes that.

    Keys: `name`, `cycles`, `share` (of all cycles), `bound`, `why`, `idle`; with `search` also
    `tried`, `removed`, and of one change `change`, `cycles_after`, `bound_after`, `total_after` and
    `price`. Where `removed` is true, that is the first change after which the layer is bound by
    something else and takes fewer cycles; otherwise the one of those tried after which it takes
    fewest, and None if it never takes fewer.
    """
    whole = exhibit.estimate["total"]["cycles"] or 1
    found = []
    for row in exhibit.slowest:
        entry = {
            "name": row["name"],
            "cycles": row["cycles"],
            "share": row["cycles"] / whole,
            "bound": row["bound"],
            "why": BOUNDS.get(row["bound"], row["bound"] or "nothing that the estimate names"),
            "idle": row["mapping"].get("idle", ""),
        }
        if search:
            entry |= _search(exhibit, row, options, table)
        found.append(entry)
    return found


def _search(
    exhibit: Exhibit, row: dict[str, Any], options: CompileOptions, table: Technology | None
) -> dict[str, Any]:
    config, name = exhibit.subject.config, row["name"]
    tried: list[str] = []
    best: dict[str, Any] = dict.fromkeys(
        ("change", "cycles_after", "bound_after", "total_after", "price")
    )
    removed = False
    progress = Progress()
    for candidate in candidates(config, row["bound"]):
        progress.show(f"{name}: {candidate}")
        try:
            changed = config.with_values(candidate.values)
            report = estimate(exhibit.subject.model, changed, options, table=table)
        except RowforgeError:
            continue  # such an accelerator cannot be, or cannot run the model
        tried.append(str(candidate))
        after = next(layer for layer in report["layers"] if layer["name"] == name)
        removed = after["bound"] != row["bound"] and after["cycles"] < row["cycles"]
        if removed or after["cycles"] < (best["cycles_after"] or row["cycles"]):
            best = {
                "change": str(candidate),
                "cycles_after": after["cycles"],
                "bound_after": after["bound"],
                "total_after": report["total"]["cycles"],
                "price": price(config, changed),
            }
        if removed:
            break
    progress.clear()
    return {"tried": tried, "removed": removed, **best}
