"""Published figures of energy beside those of our counts: `energy_study`."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from compiler.options import DEFAULTS, CompileOptions
from hw.arch.accesses import DataType, Level, link_bytes
from hw.arch.config import Config
from hw.arch.energy import EnergyBill
from hw.arch.errors import RowforgeError
from rowforge.chip.counted import (
    NETWORK,
    Counted,
    chips_layers,
    dense_layers,
    our_layers,
)
from rowforge.chip.published_energy import (
    ASILOMAR,
    ASILOMAR_TYPES,
    ISCA,
    ISCA_BATCH,
    ISCA_LAYERS,
    ISSCC,
    JSSC,
)
from rowforge.configs import preset
from rowforge.reports.published import PUBLISHED
from rowforge.reports.report import caption
from rowforge.reports.texttable import Column, text_table, used
from sim.cycles.predict import check_modelled, check_single

INT8 = "eyeriss_v1_int8"
BY_TYPE, BY_TYPE_BATCH = "googlenet", 4
"""The network whose energy is published by type of data."""
COUNTS = (
    f"AlexNet; ours: each layer as a network of its own at batch {ISCA_BATCH}, by the mapper's "
    f"estimate; chip: its CONV layers at batch {PUBLISHED[NETWORK].batch} by the published mapping"
)
FITTED = "nn_dataflow_65nm"
"""The table that was fitted to the chip."""

_ON_CHIP = (Level.MAC, Level.SPAD, Level.NETWORK, Level.BUFFER)
_PES = (Level.MAC, Level.SPAD)
_WORD_BYTES = 2
_WIDTH = 100  # characters of a line of text


@dataclass(frozen=True)
class Figure:
    """A published figure beside ours.

    Attributes
    ----------
    name : what it is, with its unit
    source : where it was published
    published : the figure
    ours : of our schedule; None: our counts do not tell
    chip : of the chip's own schedule, counted by us; likewise
    why : why they differ
    """

    name: str
    source: str
    published: float
    ours: float | None
    chip: float | None
    why: str


def energy_study(config: Config, options: CompileOptions = DEFAULTS) -> dict[str, Any]:
    """Figures of ISCA 2016, Asilomar 2017 and of the chip that our counts can produce, beside ours.

    Returns an object with `figures` (see `Figure`), `layers` (energy in 10^9 MACs by the rule of
    ISCA 2016, ours beside the published one), `types` (shares of GoogLeNet's energy, likewise),
    `bits` (energy of an image of AlexNet in 10^9 MACs by width of data, nothing skipped) and
    `counts`. Maps more than a hundred layers, which takes a minute or two.

    Parameters
    ----------
    config : Config
        Of 16 bits, as the published figures are. Raises `RowforgeError` for another width.
    options : CompileOptions
    """
    check_modelled(config)
    check_single(config, "energy is compared with that of the chip's first version")
    if config.array.data_width != 16:
        raise RowforgeError(
            f"array.data_width must be 16 where energy is compared with published figures, not "
            f"{config.array.data_width}"
        )
    ours, ours_dense = our_layers(config, options)
    narrow = dense_layers(preset(INT8), NETWORK, ISCA_BATCH, options)
    typed = dense_layers(config, BY_TYPE, BY_TYPE_BATCH, options)
    chip, chip_dense = chips_layers()
    return {
        "counts": COUNTS,
        "figures": [asdict(figure) for figure in _figures(ours, ours_dense, chip, chip_dense)],
        "layers": [_layer(name, ours) for name in ISCA_LAYERS],
        "types": {"ours": _types(typed), "published": ASILOMAR_TYPES},
        "bits": {
            str(counted.config.array.data_width): _rounded(_an_image(counted))
            for counted in (ours_dense, narrow)
        },
    }


# ---- figures ------------------------------------------------------------------------------------


def _figures(
    ours: Counted, ours_dense: Counted, chip: Counted, chip_dense: Counted
) -> Sequence[Figure]:
    conv = [name for name in ours.tallies if name.startswith("conv")]
    whole, isca, chip_isca = ours.bill(), ours.bill(isca=True), chip.bill(isca=True)
    chip_bill = chip.bill()
    return (
        Figure(
            "CONV layers' share of the energy, nothing skipped, 4 RF accesses a MAC",
            ISCA,
            0.80,
            _share(ours.bill(conv, isca=True).total, isca.total),
            None,
            "the share follows from how often the filters of either kind of layer are sent; the "
            "source has 256 PEs and a buffer of 128 kB, and each filter of dense layers once",
        ),
        Figure(
            "register files as a multiple of networks and buffer, CONV, 4 RF accesses a MAC",
            ISCA,
            4.0,
            _rest(ours.bill(conv, isca=True)),
            _rest(chip_isca),
            "the source compares register files with the rest but DRAM; with MACs among the rest "
            "the counted figures are below the published one, without them above",
        ),
        Figure(
            "CONV layers' share of the energy, zeros skipped",
            ASILOMAR,
            0.72,
            _share(ours.bill(conv).total, whole.total),
            None,
            "no share of zeros is published for the inputs of dense layers, whose products are "
            "all counted here",
        ),
        Figure(
            "energy of an image, 10^9 MACs, zeros skipped",
            ASILOMAR,
            3.9,
            _rounded(whole.total / ours.batch / 1e9),
            None,
            "the published method chooses the best dataflow for each layer and codes what DRAM "
            "holds; ours is a schedule for a given buffer",
        ),
        Figure(
            "the same of the CONV layers alone",
            ASILOMAR,
            _rounded(0.72 * 3.9),
            _rounded(ours.bill(conv).total / ours.batch / 1e9),
            _rounded(chip_bill.total / chip.batch / 1e9),
            "72 % of 3.9, which the source estimates for data and memories of its own",
        ),
        Figure(
            "PEs' share of the power",
            ISSCC,
            0.778,
            _share(_at(ours.bill(conv), _PES), _at(ours.bill(conv), _ON_CHIP)),
            _share(_at(chip_bill, _PES), _at(chip_bill, _ON_CHIP)),
            "measured power has clock and control of each part in it; accesses have not",
        ),
        Figure(
            "networks' share of the power",
            ISSCC,
            0.156,
            _share(ours.bill(conv).at(Level.NETWORK), _at(ours.bill(conv), _ON_CHIP)),
            _share(chip_bill.at(Level.NETWORK), _at(chip_bill, _ON_CHIP)),
            "2 MACs a word delivered stand for 1 to 2 mm of wire",
        ),
        Figure(
            "buffer's share of the power",
            ISSCC,
            0.027,
            _share(ours.bill(conv).at(Level.BUFFER), _at(ours.bill(conv), _ON_CHIP)),
            _share(chip_bill.at(Level.BUFFER), _at(chip_bill, _ON_CHIP)),
            "6 MACs an access hold for a buffer above 100 kB that is read as a whole; the chip's "
            "has 27 banks of 4 kB, of which an access wakes one",
        ),
        Figure(
            "power of the PEs that is saved by skipping zeros",
            JSSC,
            0.45,
            _saved(ours, ours_dense, conv),
            _saved(chip, chip_dense, conv),
            "here by the zeros of AlexNet's CONV layers, in the source for a share that is not "
            "stated; clock and control, which accesses have not, go on",
        ),
        Figure(
            "DRAM accesses of 16 bits a MAC, CONV",
            JSSC,
            0.0029,
            _dram(ours, conv),
            _dram(chip, conv),
            "ours sends maps raw and filters for every tile again, where they do not stay",
        ),
        Figure(
            f"pJ a MAC on the chip, CONV, by {FITTED}",
            JSSC,
            12.0,
            _picojoules(ours, conv),
            _picojoules(chip, conv),
            "278 mW for 115.3 ms include clock, control, leakage and waiting for the link, which "
            "accesses have not",
        ),
    )


def _rounded(value: float) -> float:
    return round(value, 4)


def _share(part: float, whole: float) -> float:
    return _rounded(part / whole)


def _at(cost: EnergyBill, levels: Iterable[Level]) -> float:
    return sum(cost.at(level) for level in levels)


def _rest(cost: EnergyBill) -> float:
    """Register files as a multiple of networks and buffer."""
    return _rounded(cost.at(Level.SPAD) / _at(cost, (Level.NETWORK, Level.BUFFER)))


def _saved(sparse: Counted, dense: Counted, names: Sequence[str]) -> float:
    """Share of the PEs' energy that skipping saves."""
    return _rounded(1 - _at(sparse.bill(names), _PES) / _at(dense.bill(names), _PES))


def _dram(counted: Counted, names: Sequence[str]) -> float:
    bytes_ = sum(link_bytes(counted.config, counted.tallies[name].accesses) for name in names)
    return _rounded(bytes_ / _WORD_BYTES / sum(counted.tallies[name].macs for name in names))


def _picojoules(counted: Counted, names: Sequence[str]) -> float:
    macs = sum(counted.tallies[name].macs for name in names)
    return _rounded(_at(counted.bill(names, table=FITTED), _ON_CHIP) / macs)


# ---- by layer and by type -----------------------------------------------------------------------


def _layer(name: str, ours: Counted) -> dict[str, Any]:
    """A layer's energy by ISCA's rule, in 10^9 MACs."""
    found = ours.bill([name], isca=True)
    levels = {"mac": Level.MAC, "dram": Level.LINK, "rf": Level.SPAD}
    return {
        "name": name,
        "ours": {key: round(found.at(level) / 1e9, 2) for key, level in levels.items()},
        "published": asdict(ISCA_LAYERS[name]),
    }


_TYPES = {
    "ifmap": (DataType.IFMAP, DataType.INPUT),
    "filter": (DataType.FILTER,),
    "psum and ofmap": (DataType.PSUM, DataType.OFMAP, DataType.OUTPUT, DataType.SPILL),
    "commands and tables": (DataType.COMMAND, DataType.TABLE),
}


def _an_image(counted: Counted) -> float:
    """10^9 MACs."""
    return counted.bill(skipping=False).total / counted.batch / 1e9


def _types(ours: Counted) -> dict[str, float]:
    """Shares of the energy of all layers: products, and data by type at all levels."""
    found = ours.bill()
    shares = {"MACs": _share(found.at(Level.MAC), found.total)}
    for name, types in _TYPES.items():
        spent = sum(found.at(data=data) for data in types)
        spent -= found.at(Level.MAC, DataType.PSUM) if DataType.PSUM in types else 0
        shares[name] = _share(spent, found.total)
    return shares


# ---- text ---------------------------------------------------------------------------------------

FIGURE_COLUMNS = (
    Column("figure", "name", left=True),
    Column("source", "source", left=True),
    Column("published", "published", ".4g"),
    Column("ours", "ours", ".4g"),
    Column("chip's schedule", "chip", ".4g"),
)
LAYER_COLUMNS = (
    Column("layer", "name", left=True),
    Column("MACs", "ours.mac", ".2f"),
    Column("publ.", "published.mac", ".2f"),
    Column("DRAM", "ours.dram", ".2f"),
    Column("publ.", "published.dram", ".2f"),
    Column("RF", "ours.rf", ".2f"),
    Column("publ.", "published.rf", ".2f"),
)


def layer_rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the table by layer shows: the layers, then their sums."""
    total = {
        side: {
            key: sum(row[side][key] for row in document["layers"]) for key in ("mac", "dram", "rf")
        }
        for side in ("ours", "published")
    }
    return [*document["layers"], {"name": "total", **total}]


def sentences(document: Mapping[str, Any]) -> list[str]:
    """What is told of types of data and of bits."""
    types, bits = document["types"], document["bits"]
    shares = ", ".join(
        f"{name} {100 * share:.1f} %"
        + (f" ({100 * types['published'][name]:.0f})" if name in types["published"] else "")
        for name, share in types["ours"].items()
    )
    widths = ", ".join(f"{energy:.2f} at {width} bits" for width, energy in bits.items())
    return [
        f"Shares of GoogLeNet's energy by {ASILOMAR} in brackets, ours at batch {BY_TYPE_BATCH}, "
        f"nothing skipped: {shares}. The published ones leave out products of zeros and code maps, "
        f"and count commands nowhere.",
        f"An image of AlexNet at batch {ISCA_BATCH}, nothing skipped, in 10^9 MACs of 16 bits: "
        f"{widths}. At 8 bits a product costs a quarter, ifmaps and filters a half, and psums of "
        f"32 bits twice as much.",
    ]


def text(document: Mapping[str, Any]) -> str:
    """The study for a reader: figures, why they differ, layers, types."""
    figures = document["figures"]
    rows = layer_rows(document)
    return "\n\n".join(
        (
            text_table(used(FIGURE_COLUMNS, figures), figures, total=False),
            "\n".join(
                textwrap.fill(f"{figure['name']}: {figure['why']}.", _WIDTH, subsequent_indent="  ")
                for figure in figures
            ),
            text_table(LAYER_COLUMNS, rows),
            f"10^9 MACs at batch {ISCA_BATCH} by the rule of {ISCA}: four register-file accesses a "
            f"MAC, nothing skipped.",
            "\n".join(textwrap.fill(line, _WIDTH) for line in sentences(document)),
            caption(document["counts"]),
        )
    )
