"""Changes of a configuration that may remove a bound: `changes`, `more_clusters`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hw.arch.config import Config
from hw.arch.errors import RowforgeError

Values = Mapping[str, Any]
"""Values of fields by their full names."""


def written(values: Values) -> str:
    """Values as a configuration file has them."""
    return ", ".join(f"{name} = {json.dumps(value)}" for name, value in values.items())


def changes(config: Config, bound: str) -> Iterator[Values]:
    """What may remove a bound in one cluster, the smaller first; `Config` accepts each of them."""
    for values in _for(config, bound):
        yield from _with_what_it_needs(config, values)


def more_clusters(config: Config) -> Iterator[Values]:
    """Twice as many, along the axis that has fewer: removes any bound but the link's."""
    clusters = config.clusters
    axis = "clusters.y" if clusters.y <= clusters.x else "clusters.x"
    yield from _with_what_it_needs(config, {axis: 2 * int(config.value(axis))})


def _for(config: Config, bound: str) -> Iterator[Values]:
    doubled = _Doubled(config)
    if bound == "compute":
        yield from _larger(config)
    elif bound == "link":
        yield {"link.width": 64}
        yield doubled("buffer.depth")
        yield doubled("buffer.depth", times=4)
    elif bound in ("psum_in", "psum_out"):
        units = ("post.units",) if bound == "psum_out" else ()
        yield doubled(f"noc.{bound}")
        yield doubled(f"noc.{bound}", *units)
        yield doubled("noc.psum_in", "noc.psum_out", *units)
        yield doubled("pe.psum_spad")
    elif bound in ("vector", "post"):
        yield doubled("post.units")
        yield doubled("noc.psum_out", "post.units")
    elif bound in ("ifmap", "filter"):
        yield doubled(f"noc.{bound}")
        yield doubled("pe.ifmap_spad")  # more channels a pass: fewer passes
        if bound == "filter":
            yield doubled("pe.filter_spad")
        else:
            yield doubled("pe.ifmap_fifo")
            yield doubled("noc.ifmap", "pe.ifmap_fifo")
            yield doubled("array.cols")


class _Doubled:
    """Fields of a configuration at twice their values, or so many times."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(self, *names: str, times: int = 2) -> Values:
        return {name: times * int(self._config.value(name)) for name in names}


def _larger(config: Config) -> Iterator[Values]:
    """More multipliers, the fewest first."""
    found: dict[tuple[int, int, int], Values] = {}
    rows, cols = config.array.rows, config.array.cols
    for quarters in (5, 6, 8, 12, 16):
        for name, size, other in (("array.cols", cols, rows), ("array.rows", rows, cols)):
            larger = max(size * quarters // 4, size + 1)
            found[larger * other, larger, len(name)] = {name: larger}
    if config.pe.macs == 1:
        found[2 * rows * cols, 0, 0] = {"pe.macs": 2}
    known = {written(found[key]): found[key] for key in sorted(found)}
    yield from known.values()


def _with_what_it_needs(config: Config, values: Values) -> Iterator[Values]:
    """A change, where it is refused with what else must change; nothing if nothing helps."""
    buffer = config.buffer
    for needed in (
        {},
        {"buffer.width": 2 * buffer.width},
        {"buffer.banks": 2 * buffer.banks},
        {"buffer.filters": False},
    ):
        try:
            config.with_values({**values, **needed})
        except RowforgeError:
            continue
        yield {**values, **needed}
        return
