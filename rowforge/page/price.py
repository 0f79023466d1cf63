"""What a configuration consists of, counted from its fields: `resources`, `price`.

These are the parts that the fields name, not LUTs or areas: only a synthesis tells those.
"""

from hw.arch.config import Config


def resources(config: Config) -> dict[str, int]:
    """Counts of PEs, multipliers, storage bits and network wires, by name."""
    array, pe, noc = config.array, config.pe, config.noc
    pes = array.rows * array.cols
    spads = (pe.ifmap_spad + pe.filter_spad) * array.data_width + pe.psum_spad * array.psum_width
    operands = (noc.ifmap + noc.filter) * array.data_width
    return {
        "PEs": pes,
        "multipliers": config.multipliers,
        "scratchpad bits": pes * spads,
        "buffer bits": 8 * config.glb_bytes,
        "prefetch bits": 8 * config.buffer.filter_prefetch,
        "network wires": operands + (noc.psum_in + noc.psum_out) * array.psum_width,
        "requantisation lanes": config.post.units,
        "link bits a cycle": config.link.width,
    }


def price(before: Config, after: Config) -> str:
    """What a changed configuration has more, or less."""
    old, new = resources(before), resources(after)
    changes = [f"{new[name] - old[name]:+,} {name}" for name in old if new[name] != old[name]]
    return ", ".join(changes) or "nothing that the fields name"
