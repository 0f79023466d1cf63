"""What an accelerator is judged by, side by side: `metrics`.

The list follows "How to Evaluate Deep Neural Network Processors" (V. Sze et al., 2020): accuracy,
throughput, latency, energy, cost, flexibility, and what goes off the chip.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from rowforge.page.case import Case
from rowforge.page.price import resources
from rowforge.page.wording import figure

Row = tuple[str, str, list[str]]
"""A group, a metric, and its value in each case."""

_UNKNOWN = "not known"


def metrics(cases: Sequence[Case], clock: float | None) -> list[Row]:
    """The rows of the table; `clock` in MHz, None if nobody says what it is."""
    table: list[tuple[str, str, Callable[[Case], str]]] = [
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
    return [(group, name, [value(case) for case in cases]) for group, name, value in table]


def _total(case: Case) -> dict[str, Any]:
    total: dict[str, Any] = case.estimate["total"]
    return total


def _figure(case: Case, name: str) -> str:
    value = _total(case)[name]
    return _UNKNOWN if value is None else f"{value:,}"


def _accuracy(case: Case) -> str:
    return "no labels given" if case.accuracy is None else f"{100 * case.accuracy:.2f} %"


def _milliseconds(case: Case, clock: float | None) -> str:
    return "no clock given" if clock is None else f"{case.traced.cycles / clock / 1e3:.4g}"


def _rate(case: Case, clock: float | None) -> str:
    return "no clock given" if clock is None else f"{clock * 1e6 / case.traced.cycles:.4g}"


def _speed(case: Case) -> str:
    total = _total(case)
    return f"{total['macs'] / total['cycles']:.2f}" if total["macs"] and total["cycles"] else "none"


def _utilisation(case: Case) -> str:
    share = _total(case)["utilization"]
    return "none" if share is None else f"{100 * share:.1f} %"


def _energy(case: Case) -> str:
    energy = _total(case)["energy"]
    partial = f", without {', '.join(energy['missing'])}" if energy["partial"] else ""
    return f"{figure(energy['total'])} {energy['unit']} ({energy['technology']}{partial})"


def _energy_per_mac(case: Case) -> str:
    energy = _total(case)["energy"]
    return "none" if energy["per_mac"] is None else f"{energy['per_mac']:.3g} {energy['unit']}"


def _per_joule(case: Case) -> str:
    value = _total(case)["energy"]["inferences_per_joule"]
    return "the table has no unit of energy" if value is None else f"{value:.4g}"


def _intensity(case: Case) -> str:
    total = _total(case)
    return f"{(total['macs'] or 0) / total['link_bytes']:.1f}" if total["link_bytes"] else "none"


def _resource(case: Case, *names: str) -> str:
    found = resources(case.subject.config)
    return ", ".join(f"{found[name]:,}" for name in names)


def _served(case: Case, where: str) -> str:
    found = Counter(row["op"] for row in case.rows if row["where"] == where)
    kinds = ", ".join(name for name, _ in found.most_common(4))
    more = ", …" if len(found) > 4 else ""
    return f"{sum(found.values())} ({kinds}{more})" if found else "0"
