"""What a configuration consists of, counted from its fields, and what a change costs: `price`."""

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.area.model import modelled, unseen


def resources(config: Config) -> dict[str, int]:
    """Counts of PEs, multipliers, storage bits and network wires, by name; of all clusters."""
    array, pe, noc, clusters = config.array, config.pe, config.noc, config.clusters.count
    pes = array.rows * array.cols
    spads = (pe.ifmap_spad + pe.filter_spad) * array.data_width + pe.psum_spad * array.psum_width
    operands = (noc.ifmap + noc.filter) * array.data_width
    cluster = {
        "PEs": pes,
        "multipliers": config.multipliers,
        "scratchpad bits": pes * spads,
        "buffer bits": 8 * config.glb_bytes,
        "prefetch bits": 8 * config.buffer.filter_prefetch,
        "network wires": operands + (noc.psum_in + noc.psum_out) * array.psum_width,
        "requantisation lanes": config.post.units,
    }
    everywhere = {name: clusters * number for name, number in cluster.items()}
    return {"clusters": clusters, **everywhere, "link bits a cycle": config.link.width}


def price(before: Config, after: Config) -> str:
    """What a changed configuration has more, or less.

    First what it takes of an ECP5 by the model of areas, where that knows both, then the parts that
    the changed fields name.
    """
    old, new = resources(before), resources(after)
    changes = [f"{new[name] - old[name]:+,} {name}" for name in old if new[name] != old[name]]
    return "; ".join([*_cells(before, after), ", ".join(changes)]).rstrip("; ") or "nothing"


def _cells(before: Config, after: Config) -> list[str]:
    """LUTs, and block RAMs and multipliers where their number changes."""
    try:
        old, new = modelled(before), modelled(after)
    except RowforgeError:
        return []  # the model has no coefficients for such accelerators
    if unseen(before, after):
        return []  # nor for such changes
    more = new.luts - old.luts
    said = [f"about {more:+,} LUTs of an ECP5 ({more / old.luts:+.1%})"]
    for name, told in (("block_rams", "block RAMs"), ("multipliers", "multipliers")):
        if difference := getattr(new, name) - getattr(old, name):
            said.append(f"{difference:+,} {told}")
    return [", ".join(said)]
