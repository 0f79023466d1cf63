"""What the chip's own schedule accesses, beside the published figures: `chip_schedule`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from compiler.workloads.networks import choose_layers, conv_layers
from hw.arch.accesses import glb_bytes, link_bytes
from hw.arch.config import Config
from hw.arch.energy import Technology
from rowforge.chip.mappings import CONV3_AS_PRINTED
from rowforge.chip.schedule import ChipLayer, chip_layers
from rowforge.energy.document import add_energy
from rowforge.reports.energy_text import energy_text
from rowforge.reports.published import Measured, published_network
from rowforge.reports.report import caption
from rowforge.reports.texttable import Column, text_table, used

COUNTS = (
    "the chip's own schedule, counted from its mappings without a program; maps are coded by the "
    "published shares of zeros"
)
UNKNOWN = ("spad", "network", "buffer")
"""Levels of which the mappings of VGG-16 do not tell."""


def chip_schedule(
    name: str, config: Config, table: Technology, *, layers: str | None = None
) -> dict[str, Any]:
    """Accesses, bytes and energy of the chip's own schedule beside the published bytes.

    Parameters
    ----------
    name : "alexnet" or "vgg16"
    config : Config
        Of the chip: widths of words.
    table : prices of accesses
    layers : as for `rowforge.reproduction.reproduce`
    """
    published = published_network(name)
    shapes = conv_layers(name)
    chosen = shapes if layers is None else choose_layers(shapes, layers)
    names = {shape.name for shape in chosen}
    all_layers = chip_layers(name, shapes, published)
    found = [layer for layer in all_layers if layer.shape.name in names]
    rows = [_row(config, layer, published.layers[layer.shape.name]) for layer in found]
    total = _total(rows, published.total if len(found) == len(all_layers) else None)
    document = {"counts": COUNTS, "layers": rows, "total": total}
    tallies = [layer.tally for layer in found]
    add_energy(config, document, tallies, table, inferences=published.batch)
    for row, layer in zip(rows, found, strict=True):
        if not layer.mapping.inner:
            _mark(row)
    if any(not layer.mapping.inner for layer in found):
        _mark(total)
    return document


def _mark(row: dict[str, Any]) -> None:
    """Accesses at some levels are not counted, so that energy is a part only."""
    energy = row["energy"]
    energy["partial"], energy["inferences_per_joule"] = True, None
    energy["missing"] = [*energy["missing"], *UNKNOWN]


def _row(config: Config, layer: ChipLayer, measured: Measured) -> dict[str, Any]:
    accesses = layer.tally.accesses
    row: dict[str, Any] = {
        "name": layer.shape.name,
        "macs": layer.tally.macs,
        "mapping": layer.mapping.as_dict(),
        "zeros": layer.zeros,
        "output_zeros": round(layer.output_zeros, 4),
        "glb_bytes": glb_bytes(config, accesses) or None,
        "link_bytes": link_bytes(config, accesses),
        "raw_link_bytes": layer.filter_bytes + layer.raw_input_bytes + layer.raw_output_bytes,
    }
    row["published"] = {
        "glb_bytes": round(measured.glb_mb * 1e6),
        "link_bytes": round(measured.dram_mb * 1e6),
    }
    row["ratio"] = _ratio(row)
    if layer.shape.name == "conv3":
        printed = replace(layer, mapping=CONV3_AS_PRINTED)
        row["as_printed"] = {
            "mapping": CONV3_AS_PRINTED.as_dict(),
            "glb_bytes": glb_bytes(config, printed.tally.accesses),
        }
    return row


def _ratio(row: Mapping[str, Any]) -> dict[str, float | None]:
    """Our bytes as multiples of the published ones; None where ours are not known."""
    return {
        key: round(row[key] / row["published"][key], 4) if row[key] else None
        for key in ("glb_bytes", "link_bytes")
    }


def _total(rows: Sequence[Mapping[str, Any]], printed: Measured | None) -> dict[str, Any]:
    """The sums of the rows, beside the table's own total if they are all of it."""
    total: dict[str, Any] = {
        key: sum(row[key] or 0 for row in rows) or None
        for key in ("macs", "glb_bytes", "link_bytes", "raw_link_bytes")
    }
    total["published"] = {
        key: sum(row["published"][key] for row in rows) for key in ("glb_bytes", "link_bytes")
    }
    if printed is not None:
        total["published"] = {
            "glb_bytes": round(printed.glb_mb * 1e6),
            "link_bytes": round(printed.dram_mb * 1e6),
        }
    total["ratio"] = _ratio(total)
    return total


# ---- text ---------------------------------------------------------------------------------------

COLUMNS = (
    Column("layer", "name", left=True),
    Column("mapping", "mapping_text", left=True),
    Column("zeros", "zeros", "%"),
    Column("GLB MB", "glb_bytes", "MB"),
    Column("publ.", "published.glb_bytes", "MB"),
    Column("ratio", "ratio.glb_bytes", ".3f"),
    Column("raw MB", "raw_link_bytes", "MB"),
    Column("filters", "link_split.filters", "MB"),
    Column("ifmaps", "link_split.inputs", "MB"),
    Column("ofmaps", "link_split.outputs", "MB"),
    Column("DRAM MB", "link_bytes", "MB"),
    Column("publ.", "published.link_bytes", "MB"),
    Column("ratio", "ratio.link_bytes", ".3f"),
)
LEGEND = """\
zeros: of the ifmap, as published. GLB: psums read and written, ifmaps read.
raw: what would move on DRAM's bus without coding; ifmaps, ofmaps: coded, but for the first ifmap.
publ.: measured on the chip. 1 MB = 10^6 bytes."""


def text_rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the table shows: the layers, then the total."""
    rows = [*document["layers"], {"name": "total", "mapping": {}, **document["total"]}]
    return [
        {**row, "mapping_text": " ".join(f"{name}{size}" for name, size in row["mapping"].items())}
        for row in rows
    ]


def text(document: Mapping[str, Any], *, layer_energy: bool = False) -> str:
    """The report for a reader; `layer_energy`: with the energy of every layer."""
    rows = text_rows(document)
    parts = [text_table(used(COLUMNS, rows), rows), f"{LEGEND}\n{caption(document['counts'])}"]
    for row in document["layers"]:
        if "as_printed" in row:
            printed = row["as_printed"]
            told = " ".join(f"{name}{size}" for name, size in printed["mapping"].items())
            parts.append(
                f"conv3 as table III prints it ({told}): {printed['glb_bytes'] / 1e6:.1f} MB at "
                f"the buffer."
            )
    parts.append(energy_text(document, layers=layer_energy))
    return "\n\n".join(parts)
