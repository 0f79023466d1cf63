"""What an accelerator is judged by, side by side: `metrics`.

The list follows "How to Evaluate Deep Neural Network Processors" (V. Sze et al., 2020): accuracy,
throughput, latency, energy, cost, flexibility, and what goes off the chip.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from rowforge.page.exhibit import Exhibit
from rowforge.page.price import resources
from rowforge.page.wording import figure

Row = tuple[str, str, list[str]]
"""A group, a metric, and its value in each exhibit."""

_UNKNOWN = "not known"


def metrics(exhibits: Sequence[Exhibit], clock: float | None) -> list[Row]:
    """The rows of the table; `clock` in MHz, None if nobody says what it is."""
    table: list[tuple[str, str, Callable[[Exhibit], str]]] = [
        ("accuracy", "right classes of the inputs given", _accuracy),
        ("latency", "cycles an inference, estimated", lambda c: f"{_total(c)['cycles'] or 0:,}"),
        ("latency", "cycles, whole program by the exact model", lambda c: f"{c.traced.cycles:,}"),
        ("latency", "milliseconds an inference", lambda c: _milliseconds(c, clock)),
        ("throughput", "inferences a second, one after another", lambda c: _rate(c, clock)),
        ("throughput", "MACs a cycle", _speed),
        ("throughput", "multipliers in use on average", _utilisation),
        ("energy", "of an inference", _energy),
        ("energy", "of a MAC", _energy_per_mac),
        ("energy", "inferences a joule", _per_joule),
        ("off-chip", "bytes on the link an inference", lambda c: _figure(c, "link_bytes")),
        ("off-chip", "MACs a byte", _intensity),
        ("cost", "PEs and multipliers", lambda c: _resource(c, "PEs", "multipliers")),
        ("cost", "global buffer, bytes", lambda c: f"{c.subject.config.glb_bytes:,}"),
        ("cost", "scratchpads of all PEs, bits", lambda c: _resource(c, "scratchpad bits")),
        ("flexibility", "operators on the accelerator", lambda c: _served(c, "array")),
        ("flexibility", "operators on the host", lambda c: _served(c, "host")),
        ("flexibility", "operators that cost nothing", lambda c: _served(c, "folded")),
        ("work", "MACs", lambda c: _figure(c, "macs")),
    ]
    return [(group, name, [value(exhibit) for exhibit in exhibits]) for group, name, value in table]


def _total(exhibit: Exhibit) -> dict[str, Any]:
    total: dict[str, Any] = exhibit.estimate["total"]
    return total


def _figure(exhibit: Exhibit, name: str) -> str:
    value = _total(exhibit)[name]
    return _UNKNOWN if value is None else f"{value:,}"


def _accuracy(exhibit: Exhibit) -> str:
    return "no labels given" if exhibit.accuracy is None else f"{100 * exhibit.accuracy:.2f} %"


def _milliseconds(exhibit: Exhibit, clock: float | None) -> str:
    return "no clock given" if clock is None else f"{exhibit.traced.cycles / clock / 1e3:.4g}"


def _rate(exhibit: Exhibit, clock: float | None) -> str:
    return "no clock given" if clock is None else f"{clock * 1e6 / exhibit.traced.cycles:.4g}"


def _speed(exhibit: Exhibit) -> str:
    total = _total(exhibit)
    return f"{total['macs'] / total['cycles']:.2f}" if total["macs"] and total["cycles"] else "none"


def _utilisation(exhibit: Exhibit) -> str:
    share = _total(exhibit)["utilization"]
    return "none" if share is None else f"{100 * share:.1f} %"


def _energy(exhibit: Exhibit) -> str:
    energy = _total(exhibit)["energy"]
    partial = f", without {', '.join(energy['missing'])}" if energy["partial"] else ""
    return f"{figure(energy['total'])} {energy['unit']} ({energy['technology']}{partial})"


def _energy_per_mac(exhibit: Exhibit) -> str:
    energy = _total(exhibit)["energy"]
    return "none" if energy["per_mac"] is None else f"{energy['per_mac']:.3g} {energy['unit']}"


def _per_joule(exhibit: Exhibit) -> str:
    value = _total(exhibit)["energy"]["inferences_per_joule"]
    return "the table has no unit of energy" if value is None else f"{value:.4g}"


def _intensity(exhibit: Exhibit) -> str:
    total = _total(exhibit)
    return f"{(total['macs'] or 0) / total['link_bytes']:.1f}" if total["link_bytes"] else "none"


def _resource(exhibit: Exhibit, *names: str) -> str:
    found = resources(exhibit.subject.config)
    return ", ".join(f"{found[name]:,}" for name in names)


def _served(exhibit: Exhibit, where: str) -> str:
    found = Counter(row["op"] for row in exhibit.rows if row["where"] == where)
    kinds = ", ".join(name for name, _ in found.most_common(4))
    more = ", …" if len(found) > 4 else ""
    return f"{sum(found.values())} ({kinds}{more})" if found else "0"
