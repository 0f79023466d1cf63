"""The tables of docs/performance.md and docs/layers.md, made of results."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks.commands import CHIP, NETWORKS, TINY_MODELS, VARIANTS, named, slug
from benchmarks.resources import CHIP_PES, resource_tables
from rowforge import estimation, reproduction
from rowforge.configs import preset
from rowforge.reports.texttable import Column, apart, markdown_table, used

Result = Mapping[str, Any]
Results = Mapping[str, Result]
Row = Mapping[str, Any]

NOT_MEASURED = "*Not measured yet.*"

_LAYERS = tuple(column for column in estimation.COLUMNS if column.title != "mapping")
_MAPPINGS = (
    Column("layer", "name", left=True),
    Column("bound", "bound", left=True),
    Column("mapping", "mapping_text", left=True),
    Column("idle PEs", "mapping.idle", left=True),
)


def origin(name: str, result: Result) -> str:
    """The line below a table: what made it."""
    tools = ", ".join(f"{tool} {version}" for tool, version in result["tools"].items())
    changes = ", ".join(f"{field} = {value}" for field, value in result["changes"].items())
    changed = f" (the preset with {changes})" if changes else ""
    return (
        f"`{result['command']}`{changed}: {result['seconds']} s, {result['date']}, "
        f"commit {result['commit']}; {tools}; docs/results/{name}.json"
    )


def _table(
    name: str,
    results: Results,
    columns: Sequence[Column],
    rows: Callable[[Row], Sequence[Row]],
    *keys: str,
) -> str:
    """A table of one result with its origin, cut before the columns of `keys`."""
    if name not in results:
        return f"{NOT_MEASURED} `{named(name).command}`"
    found = rows(results[name]["report"])
    return f"{_narrow(used(columns, found), found, *keys)}\n\n{origin(name, results[name])}"


def _narrow(columns: Sequence[Column], rows: Sequence[Row], *keys: str) -> str:
    return "\n\n".join(markdown_table(part, rows) for part in apart(columns, *keys))


# ---- the published chip -----------------------------------------------------------------------


def published(name: str, results: Results) -> str:
    """Ours beside the chip's."""
    keys = ("utilization", "glb_bytes")
    return _table(name, results, reproduction.COLUMNS, reproduction.text_rows, *keys)


def mappings(name: str, results: Results) -> str:
    """How layers lie on the array, what bounds them, which PEs idle."""
    return _table(name, results, _MAPPINGS, lambda report: estimation.text_rows(report)[:-1])


def on_rtl(name: str, results: Results) -> str:
    """What ran on the RTL, beside the model."""
    columns, rows = reproduction.RTL_COLUMNS, reproduction.rtl_rows
    return _table(f"{name}_rtl", results, columns, rows, "utilization")


# ---- summaries --------------------------------------------------------------------------------

_VARIANT_COLUMNS = (
    Column("configuration", "label", left=True),
    Column("cycles", "cycles"),
    Column("of the chip's own", "share", "%"),
    Column("util.", "utilization", "%"),
    Column("GLB MB", "glb_bytes", "MB"),
    Column("link MB", "link_bytes", "MB"),
)


def variants(results: Results) -> str:
    """AlexNet on configurations that have more of something."""
    names = [_variant_name(changes) for changes in VARIANTS]
    if "alexnet" not in results or any(name not in results for name in names):
        return NOT_MEASURED
    own = results["alexnet"]["report"]["total"]
    rows = [{"label": "`eyeriss_v1`", **own, "share": 1.0}]
    for name in names:
        total = results[name]["report"]["total"]
        label = ", ".join(f"`{key} = {value}`" for key, value in results[name]["changes"].items())
        rows.append({"label": label, **total, "share": total["cycles"] / own["cycles"]})
    return _summary(_VARIANT_COLUMNS, rows, names, results)


def _variant_name(changes: Mapping[str, Any]) -> str:
    return f"alexnet_{slug(changes)}"


_NETWORK_COLUMNS = (
    Column("network", "label", left=True),
    Column("MACs", "macs"),
    Column("cycles", "cycles"),
    Column("util.", "utilization", "%"),
    Column("of active", "active_utilization", "%"),
    Column("util. without dense layers", "conv_utilization", "%"),
    Column("GLB MB", "glb_bytes", "MB"),
    Column("link MB", "link_bytes", "MB"),
    Column("60/200 MHz link", "chip_link_cycles"),
    Column("mapped in s", "seconds", ".1f"),
)


def networks(results: Results) -> str:
    """All networks at batch 1, int8."""
    names = [f"{name}_int8" for name in NETWORKS]
    if any(name not in results for name in names):
        return NOT_MEASURED
    rows = []
    for network, name in zip(NETWORKS, names, strict=True):
        report = results[name]["report"]
        convolutions = [row for row in report["layers"] if not row["name"].startswith("fc")]
        rows.append(
            {
                "label": f"`{network}`",
                **report["total"],
                "conv_utilization": _together(convolutions),
                "seconds": results[name]["seconds"],
            }
        )
    return _summary(_NETWORK_COLUMNS, rows, names, results, "glb_bytes")


def layers(name: str, results: Results) -> str:
    """Every layer of a network."""
    return _table(f"{name}_int8", results, _LAYERS, estimation.text_rows)


def _together(rows: Iterable[Row]) -> float | None:
    """MACs of all multiplier-cycles of some layers."""
    chosen = list(rows)
    macs, cycles = (sum(row[key] or 0 for row in chosen) for key in ("macs", "cycles"))
    return macs / (CHIP_PES * cycles) if cycles else None


# ---- MLPerf Tiny on the RTL -------------------------------------------------------------------

_TINY_COLUMNS = (
    Column("model", "label", left=True),
    Column("MACs", "macs"),
    Column("cycles", "cycles"),
    Column("model's", "model_cycles"),
    Column("convolutions after the first", "later", "%"),
    Column("everything", "utilization", "%"),
    Column("link bytes", "link_bytes"),
)
_TINY_LAYERS = (
    Column("layer", "name", left=True),
    Column("MACs", "macs"),
    Column("cycles", "cycles"),
    Column("model's", "model_cycles"),
    Column("difference", "difference"),
    Column("util.", "utilization", "%"),
    Column("bound", "bound", left=True),
    Column("GLB bytes", "glb_bytes"),
    Column("link bytes", "link_bytes"),
)


def tiny(results: Results) -> str:
    """The four models: utilisation by the RTL's counters, batch 1."""
    names = list(TINY_MODELS)
    if any(name not in results for name in names):
        return NOT_MEASURED
    rows = []
    for name in names:
        report = results[name]["report"]
        later = [row for row in report["layers"] if "CONV" in row["op"]][1:]
        rows.append({"label": f"`{name}`", **report["total"], "later": _together(later)})
    return _summary(_TINY_COLUMNS, rows, names, results)


def tiny_layers(name: str, results: Results) -> str:
    """Every layer of a model that runs on the array."""
    return _table(name, results, _TINY_LAYERS, _tiny_rows)


def _tiny_rows(report: Row) -> list[Row]:
    rows = [row for row in report["layers"] if row["where"] == "array"]
    return [
        {**row, "macs": row["macs"] or None, "difference": row["model_cycles"] - row["cycles"]}
        for row in rows
    ]


# ---- all --------------------------------------------------------------------------------------


def _summary(
    columns: Sequence[Column],
    rows: Sequence[Row],
    names: Sequence[str],
    results: Results,
    *keys: str,
) -> str:
    origins = "\n".join(f"- {origin(name, results[name])}" for name in names)
    return f"{_narrow(columns, rows, *keys)}\n\n{origins}"


def tables(results: Results) -> dict[str, str]:
    """Every table by the name that marks its place in a page."""
    found: dict[str, str] = {}
    for name in ("alexnet", "vgg16"):
        found[name] = published(name, results)
        found[f"{name} mappings"] = mappings(name, results)
        found[f"{name} rtl"] = on_rtl(name, results)
    found["resources"] = resource_tables(preset(CHIP))
    found["variants"] = variants(results)
    found["networks"] = networks(results)
    for name in ("resnet50", "mobilenet_v1"):
        found[f"{name} layers"] = layers(name, results)
    found["tiny"] = tiny(results)
    for name in TINY_MODELS:
        found[f"{name} layers"] = tiny_layers(name, results)
    return found
