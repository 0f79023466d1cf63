"""The published tables of the Eyeriss chip beside ours, layer by layer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from compiler.options import DEFAULTS, CompileOptions
from compiler.workloads.layers import LayerShape
from compiler.workloads.networks import choose_layers, conv_layers
from hw.arch.accesses import Level
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.energy import Technology, technology
from hw.arch.program import Layer
from rowforge.energy.document import add_energy
from rowforge.energy.layer_tally import LayerTally, layer_tally
from rowforge.estimation import estimate_row, estimate_total
from rowforge.reports.energy_text import energy_text
from rowforge.reports.published import (
    PES,
    Measured,
    PublishedNetwork,
    before_pooling,
    chip_link_rate,
    cycles_in_ms,
    cycles_of_ms,
    published_network,
)
from rowforge.reports.report import caption
from rowforge.reports.texttable import Column, text_table, used
from rowforge.running.coded_traffic import CodedTraffic, coded_traffic
from rowforge.running.crop import Workload, crop
from rowforge.running.layer_run import LayerRun, run_layer
from rowforge.running.progress import Progress
from rowforge.running.seeded import Shares, share_of_zeros, sparse_values
from sim.cycles.predict import check_modelled, check_single
from sim.cycles.stream import Values

CROPPED = {"vgg16": 1_500_000}  # most cycles of a layer on the RTL, by the model; others run whole
COUNTS = "each layer as a network of its own, without checks and dumps; cycles of the "
ESTIMATED, EXACT = "estimate", "exact model"
RTL_COUNTS = (
    "on the RTL the layer's own counters, beside those of the exact model, with biases by which "
    "computed outputs have that share of zeros"
)
CODED = (
    "bytes on the link are of values drawn with the published shares of zeros, outputs likewise "
    "and not computed, coded both ways where link.coding says so; coded bytes are of masks, "
    "whether or not it does"
)
_RATIOS = ("cycles", "glb_bytes", "link_bytes")
_CODED = ("link_bytes_raw", "link_bytes_coded", "link_bytes_run_length")
_SEED = 1
_LINK_BYTES = LINK_WORD_BITS // 8


def reproduce(
    name: str,
    config: Config,
    options: CompileOptions = DEFAULTS,
    *,
    layers: str | None = None,
    exact: bool = False,
    rtl: bool = False,
    prices: Technology | None = None,
) -> dict[str, Any]:
    """Our figures beside the published ones.

    Every CONV layer is a network of its own at the table's batch: it reads its input from the host
    and leaves its output there, as the chip does with its DRAM.

    Parameters
    ----------
    name : "alexnet" or "vgg16"
    config : Config
    options : CompileOptions
    layers : names or numbers parted by commas, for `compiler.workloads.networks.choose_layers`;
        None: all CONV layers
    exact : count cycles by the exact model in place of the mapper's estimate, over both links; a
        second for a million cycles
    rtl : also run the layers on the RTL with random data, large ones cropped
    prices : of accesses, the normalised ones if None. Products of activations that are zero are
        skipped, by the published shares.
    """
    table = published_network(name)
    check_modelled(config)
    check_single(config, "layers are compared with those of the chip's first version")
    shapes = conv_layers(name)
    chosen = shapes if layers is None else choose_layers(shapes, layers)
    works = [
        Workload(config, shape, table.batch, _expecting(options, table.layers[shape.name]))
        for shape in chosen
    ]
    rows, tallies = _rows(works, table, shapes, exact=exact)
    total = estimate_total(config, rows)
    measured = None if len(chosen) < len(shapes) else table.total
    total |= {key: _sum_of(rows, key) for key in _CODED}
    _compare(total, _published_total(rows, measured))
    if rtl:
        for number, (work, row) in enumerate(zip(works, rows, strict=True), start=1):
            Progress().show(f"{work.shape.name} ({number} of {len(works)})")
            shares = shares_of_zeros(table, work, shapes)
            row["rtl"] = _on_rtl(work, shares, CROPPED.get(name)).row(work)
        total["rtl"] = _rtl_total([row["rtl"] for row in rows])
    counts = COUNTS + (EXACT if exact else ESTIMATED)
    counts = f"{counts}; {CODED}"
    counts = f"{counts}; {RTL_COUNTS}" if rtl else counts
    document = {"counts": counts, "layers": rows, "total": total}
    add_energy(config, document, tallies, prices or technology(), inferences=table.batch)
    return document


def _expecting(options: CompileOptions, measured: Measured) -> CompileOptions:
    """The options of a layer, whose schedule may expect the published share of zeros."""
    return replace(options, zeros=measured.zeros)


def _rows(
    works: Sequence[Workload],
    table: PublishedNetwork,
    shapes: Sequence[LayerShape],
    *,
    exact: bool,
) -> tuple[list[dict[str, Any]], list[LayerTally]]:
    progress = Progress()
    rows, tallies = [], []
    for number, work in enumerate(works, start=1):
        progress.show(f"{work.shape.name} ({number} of {len(works)})", (number - 1) / len(works))
        shares = shares_of_zeros(table, work, shapes)
        data = _data(work, shares)
        traffic = coded_traffic(work.program, data)
        layer = replace(work.layer, accesses=work.layer.accesses + traffic.gained)
        row = _row(work, layer, data, exact=exact) | _coded(work.layer, traffic, data)
        published = _published(table.layers[work.shape.name], layer.macs)
        _compare(row, published | {"zeros": _shares(shares.input, shares.output)})
        rows.append(row)
        tallies.append(layer_tally(layer, gated_macs=round(layer.macs * shares.input)))
    progress.clear()
    return rows, tallies


# ---- the published side -----------------------------------------------------------------------


def _row(work: Workload, layer: Layer, data: Values, *, exact: bool) -> dict[str, Any]:
    """A layer's line: the estimate's, with `exact` but for both counts of cycles.

    These are of codes of what is in `data` where `link.coding` has them, and so are the accesses of
    `layer`.
    """
    if not exact:
        return estimate_row(work.config, layer)
    row = estimate_row(work.config, replace(layer, model_cycles=work.exact_cycles(1, data)))
    row["chip_link_cycles"] = work.exact_cycles(chip_link_rate(work.config), data)
    return row


def shares_of_zeros(
    table: PublishedNetwork, work: Workload, shapes: Sequence[LayerShape]
) -> Shares:
    """The shares of zeros of a layer's input and output.

    An input has the published share. An output has that of the next layer, or its square root where
    pooling follows, and the last output has that of its own layer's input.

    Parameters
    ----------
    table : of the network
    work : the layer
    shapes : all CONV layers of the network
    """
    own = table.layers[work.shape.name].zeros
    number = [shape.name for shape in shapes].index(work.shape.name)
    if number + 1 == len(shapes):
        return Shares(own, own)
    following = shapes[number + 1]
    zeros = table.layers[following.name].zeros
    pooled = work.shape.output[0] != following.H
    return Shares(own, before_pooling(zeros) if pooled else zeros)


def _data(work: Workload, shares: Shares) -> Values:
    """An input and an output of the layer with about these shares of zeros, by tensor index."""
    program, width = work.program, work.config.array.data_width
    tensors = {program.inputs[0]: shares.input, program.outputs[0]: shares.output}
    return {
        tensor: sparse_values(program.tensors[tensor].view, width, share, _SEED + number)
        for number, (tensor, share) in enumerate(tensors.items())
    }


def _coded(layer: Layer, traffic: CodedTraffic, data: Values) -> dict[str, Any]:
    """What the link could carry, whatever `link.coding` is, and the data's shares of zeros.

    link_bytes_raw : without codes, as `layer` has it
    link_bytes_coded, link_bytes_run_length : by masks, and by the chip's code
    """
    raw = _LINK_BYTES * layer.accesses.words(Level.LINK)
    found = {
        "link_bytes_raw": traffic.raw,
        "link_bytes_coded": traffic.masked,
        "link_bytes_run_length": traffic.run_length,
    }
    return {
        **{
            key: None if words is None else raw - _LINK_BYTES * (traffic.raw - words)
            for key, words in found.items()
        },
        "zeros": _shares(*map(share_of_zeros, data.values())),
    }


def _shares(read: float, written: float) -> dict[str, float]:
    """Shares of zeros as the report has them."""
    return {"input": round(read, 4), "output": round(written, 4)}


def _sum_of(rows: Sequence[Mapping[str, Any]], key: str) -> int | None:
    known = [row[key] for row in rows if row[key] is not None]
    return sum(known) if known else None


def _compare(row: dict[str, Any], published: dict[str, Any]) -> None:
    """Adds the published figures to a row, and ours as multiples of them."""
    row["ms"] = round(cycles_in_ms(row["cycles"]), 3)
    row["published"] = published
    row["ratio"] = {key: round(row[key] / published[key], 4) for key in _RATIOS}


def _published(measured: Measured, macs: int) -> dict[str, Any]:
    """A line of a published table under the keys of ours.

    `ms` is processing alone, `total_ms` with the transfers; `link_bytes` are run-length coded.
    """
    return {
        "cycles": measured.cycles,
        "ms": measured.processing_ms,
        "total_ms": measured.total_ms,
        "utilization": round(macs / (measured.cycles * PES), 4),
        "active_pes": measured.active_pes,
        "active_utilization": round(macs / (measured.cycles * measured.active_pes), 4),
        "glb_bytes": round(measured.glb_mb * 1e6),
        "link_bytes": round(measured.dram_mb * 1e6),
    }


def _published_total(rows: Sequence[Mapping[str, Any]], printed: Measured | None) -> dict[str, Any]:
    """The table's own line of totals, or the sums of some layers."""
    macs = sum(row["macs"] for row in rows)
    if printed is not None:
        return _published(printed, macs)
    lines = [row["published"] for row in rows]
    busy = sum(line["active_pes"] * line["cycles"] for line in lines)
    sums = {
        key: sum(line[key] for line in lines)
        for key in ("cycles", "ms", "total_ms", "glb_bytes", "link_bytes")
    }
    return {
        "cycles": sums["cycles"],
        "ms": round(sums["ms"], 1),
        "total_ms": round(sums["total_ms"], 1),
        "utilization": round(macs / (sums["cycles"] * PES), 4),
        "active_pes": round(busy / sums["cycles"]),
        "active_utilization": round(macs / busy, 4),
        "glb_bytes": sums["glb_bytes"],
        "link_bytes": sums["link_bytes"],
    }


# ---- the RTL ----------------------------------------------------------------------------------


def _on_rtl(work: Workload, shares: Shares, most_cycles: int | None) -> LayerRun:
    return run_layer(work if most_cycles is None else crop(work, most_cycles), shares)


def _rtl_total(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {
        key: sum(run[key] for run in runs)
        for key in (
            *("macs", "cycles", "model_cycles", "difference", "outputs"),
            *("chip_link_cycles", "chip_link_difference"),
        )
    }
    total["exact"] = all(run["exact"] for run in runs)
    total["within"] = all(run["within"] for run in runs)
    return total


def failures(report: Mapping[str, Any]) -> list[str]:
    """What went wrong on the RTL, a sentence each; empty if nothing did or nothing ran."""
    found = []
    for row in report["layers"]:
        run = row.get("rtl")
        if run is not None and not run["exact"]:
            found.append(f"{row['name']}: {run['first_difference']}")
        if run is not None and not run["within"]:
            found.append(
                f"{row['name']}: the model's {run['model_cycles']} cycles are "
                f"{abs(run['difference'])} from the RTL's {run['cycles']}, and "
                f"{abs(run['chip_link_difference'])} over the link of link.rate, "
                f"allowed {run['allowed']}"
            )
    return found


# ---- text -------------------------------------------------------------------------------------

COLUMNS = (
    Column("layer", "name", left=True),
    Column("cycles", "cycles"),
    Column("published", "published.cycles"),
    Column("ratio", "ratio.cycles", ".2f"),
    Column("ms", "ms", ".1f"),
    Column("publ.", "published.ms", ".1f"),
    Column("util.", "utilization", "%"),
    Column("publ.", "published.utilization", "%"),
    Column("of active", "active_utilization", "%"),
    Column("publ.", "published.active_utilization", "%"),
    Column("PEs", "active_pes", ".0f"),
    Column("publ.", "published.active_pes"),
    Column("bound", "bound", left=True),
    Column("GLB MB", "glb_bytes", "MB"),
    Column("publ.", "published.glb_bytes", "MB"),
    Column("link MB", "link_bytes", "MB"),
    Column("coded MB", "link_bytes_coded", "MB"),
    Column("DRAM publ.", "published.link_bytes", "MB"),
    Column("60/200 MHz link", "chip_link_cycles"),
    Column("publ.", "chip_total"),
)
RTL_COLUMNS = (
    Column("RTL", "name", left=True),
    Column("part", "part", left=True),
    Column("MACs", "macs"),
    Column("cycles", "cycles"),
    Column("model", "model_cycles"),
    Column("difference", "difference"),
    Column("60/200 MHz link", "chip_link_cycles"),
    Column("difference", "chip_link_difference"),
    Column("allowed", "allowed"),
    Column("util.", "utilization", "%"),
    Column("outputs", "outputs"),
    Column("equal", "equal", left=True),
)
LEGEND = """\
publ.: measured on the chip, 168 PEs at 200 MHz, processing without the transfers that it waits for.
util.: share of all multiplier-cycles that are MACs; of active: of the PEs that a pass uses.
GLB: psums read and written, ifmaps read. link: filters included, activations as link.coding says;
coded: with activations by significance masks, where that is less; DRAM publ.: the chip's, with
run-length codes.
60/200 MHz link: cycles over a link that moves 0.3 words of 64 bits a core cycle, both ways
together, as the chip's does, or link.rate where the configuration has less than a word; the
published figure is the chip's total time. 1 MB = 10^6 bytes."""


def text_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the table shows: the layers, then the total."""
    rows = [*report["layers"], {"name": "total", **report["total"]}]
    return [{**row, "chip_total": cycles_of_ms(row["published"]["total_ms"])} for row in rows]


def rtl_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the table of the RTL's runs shows, the total last; empty if nothing ran."""
    rows = [*report["layers"], {"name": "total", **report["total"]}]
    return [
        {"name": row["name"], **row["rtl"], "equal": "every bit" if row["rtl"]["exact"] else "NO"}
        for row in rows
        if "rtl" in row
    ]


def text(report: Mapping[str, Any], *, layer_energy: bool = False) -> str:
    """The report for a reader; `layer_energy`: with the energy of every layer."""
    rows = text_rows(report)
    parts = [text_table(used(COLUMNS, rows), rows), f"{LEGEND}\n{caption(report['counts'])}"]
    if runs := rtl_rows(report):
        parts.append(text_table(used(RTL_COLUMNS, runs), runs))
    parts.append(energy_text(report, layers=layer_energy))
    return "\n\n".join(parts)
