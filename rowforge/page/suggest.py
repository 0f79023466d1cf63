"""What bounds the slowest layers, and a small change that removes the bound: `suggestions`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from compiler.ir.graph import Graph
from compiler.ir.ops import Node
from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.estimation import graph_report
from rowforge.page.changes import Values, changes, more_clusters, written
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

LEAST = 0.02
"""Share of a layer's cycles that a change must save: less is no other bound but a tie."""

STEPS = 5
"""Changes on top of one another that are tried."""


def suggestions(exhibit: Exhibit, options: CompileOptions, *, search: bool) -> list[dict[str, Any]]:
    """For each of the five slowest layers what bounds it and, if searched for, what removes that.

    Keys: `name`, `cycles`, `share` (of all cycles), `bound`, `why`, `idle`; with `search` also
    `tried`, `removed`, and of one change `change`, `cycles_after`, `bound_after`, `total_after` and
    `price`. Where `removed` is true, the layer is bound by something else after that change and
    takes fewer cycles, and no part of the change can be left out; otherwise it is the one of those
    tried after which the layer takes fewest, and None if it never takes fewer.
    """
    whole = exhibit.estimate["total"]["cycles"] or 1
    progress = Progress()
    trials = _Trials(exhibit.graph, exhibit.subject.config, options, progress)
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
            entry |= _Search(trials, row).result()
        found.append(entry)
    progress.clear()
    return found


@dataclass(frozen=True)
class _Outcome:
    """What a change makes of a layer."""

    values: Values
    cycles: int
    bound: str
    total: int


class _Trials:
    """Estimates of a model, or of one of its layers, on changed configurations, each made once."""

    def __init__(
        self, graph: Graph, config: Config, options: CompileOptions, progress: Progress
    ) -> None:
        self.graph = graph
        self.config = config
        self._options = options
        self._progress = progress
        self._known: dict[Config, dict[str, Any] | None] = {}

    def __call__(self, layer: str, values: Values) -> _Outcome | None:
        """A layer after a change; None if there is no such accelerator or it cannot run the
        model."""
        try:
            changed = self.config.with_values(values)
        except RowforgeError:
            return None
        if changed not in self._known:
            self._progress.show(f"{layer}: {written(values)}")
            try:
                self._known[changed] = graph_report(self.graph, changed, self._options)
            except RowforgeError:
                self._known[changed] = None
        report = self._known[changed]
        if report is None:
            return None
        after = next(row for row in report["layers"] if row["name"] == layer)
        return _Outcome(values, after["cycles"], after["bound"], report["total"]["cycles"])

    def of_layer(self, row: dict[str, Any]) -> "_Trials":
        """The same of a layer alone if that takes the same cycles: a network takes far longer."""
        nodes = [node for node in self.graph.nodes if node.name == row["name"]]
        if len(nodes) == 1:
            alone = _Trials(
                _alone(self.graph, nodes[0]), self.config, self._options, self._progress
            )
            found = alone(row["name"], {})
            if found and (found.cycles, found.bound) == (row["cycles"], row["bound"]):
                return alone
        return self


def _alone(graph: Graph, node: Node) -> Graph:
    tensors = {key: graph.tensors[key] for key in (*node.inputs, node.output)}
    return Graph(
        name=graph.name,
        tensors=tensors,
        nodes=(node,),
        inputs=tuple(key for key in dict.fromkeys(node.inputs) if tensors[key].data is None),
        outputs=(node.output,),
        rounding=graph.rounding,
    )


class _Search:
    """Changes for one layer: each by itself, then further ones on top of the best.

    What bounds the layer after a step says what the next step tries. Changes are tried on the layer
    alone; the network decides about those that remove the bound there, and what can be left out.
    """

    def __init__(self, trials: _Trials, row: dict[str, Any]) -> None:
        self._whole = trials
        self._layer = trials.of_layer(row)
        self._row = row
        self._tried: dict[str, None] = {}
        self._fewest = _Outcome({}, row["cycles"], row["bound"], 0)

    def result(self) -> dict[str, Any]:
        """The part of an entry of `suggestions` that a search finds."""
        base = self._layer(self._row["name"], {})
        removed = False
        for _ in range(STEPS):
            step = self._step(base) if base is not None else None
            if step is None:
                break
            base = step
            if removed := self._removed(step):
                break
        values = self._reduced(base.values) if base and removed else self._fewest.values
        found: dict[str, Any] = dict.fromkeys(
            ("change", "cycles_after", "bound_after", "total_after", "price")
        )
        best = self._whole(self._row["name"], values)
        if best is not None and best.cycles < self._row["cycles"]:
            config = self._whole.config
            found = {
                "change": written(values),
                "cycles_after": best.cycles,
                "bound_after": best.bound,
                "total_after": best.total,
                "price": price(config, config.with_values(values)),
            }
        return {"tried": list(self._tried), "removed": removed, **found}

    def _step(self, base: _Outcome) -> _Outcome | None:
        """The first change on top of others that removes the bound, or that with fewest cycles."""
        config = self._whole.config.with_values(base.values)
        best = self._best(base, changes(config, base.bound))
        if best and (self._removed(best) or _saves(best.cycles, base.cycles)):
            return best
        return self._best(base, more_clusters(config)) or best

    def _best(self, base: _Outcome, further: Iterable[Values]) -> _Outcome | None:
        best = None
        for more in further:
            outcome = self._layer(self._row["name"], {**base.values, **more})
            if outcome is None:
                continue
            self._tried[written(outcome.values)] = None
            self._fewest = min(self._fewest, outcome, key=lambda each: each.cycles)
            if self._removed(outcome):
                return outcome
            if best is None or outcome.cycles < best.cycles:
                best = outcome
        return best

    def _removed(self, outcome: _Outcome) -> bool:
        return self._is_removal(outcome) and self._in_whole(outcome.values)

    def _alone(self, values: Values) -> bool:
        outcome = self._layer(self._row["name"], values)
        return outcome is not None and self._is_removal(outcome)

    def _in_whole(self, values: Values) -> bool:
        outcome = self._whole(self._row["name"], values)
        return outcome is not None and self._is_removal(outcome)

    def _is_removal(self, outcome: _Outcome) -> bool:
        return outcome.bound != self._row["bound"] and _saves(outcome.cycles, self._row["cycles"])

    def _reduced(self, values: Values) -> Values:
        """The same without what can be left out: of the layer alone, then of the network."""
        less = self._least(values, self._alone)
        return self._least(less if self._in_whole(less) else values, self._in_whole)

    def _least(self, values: Values, removes: Callable[[Values], bool]) -> Values:
        """The same without fields, or with half their values, as long as that does as well."""
        for less in self._smaller(values):
            if removes(less):
                return self._least(less, removes)
        return values

    def _smaller(self, values: Values) -> Iterator[Values]:
        """A change less one of its fields, or with a smaller value of it."""
        for name, value in values.items():
            others = {key: kept for key, kept in values.items() if key != name}
            if others:
                yield others
            if isinstance(value, bool):
                continue
            halves: list[Values] = []
            while int(self._whole.config.value(name)) < (value := value // 2):
                halves.insert(0, {**others, name: value})
            yield from halves


def _saves(after: int, before: int) -> bool:
    return after <= (1 - LEAST) * before
