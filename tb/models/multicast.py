"""The multicast network without time: who gets what."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Geometry:
    """Rows, columns and tag widths in bits."""

    rows: int
    cols: int
    row_tag: int
    col_tag: int


@dataclass
class Tables:
    """Wanted tags of both banks: `rows[bank][row]` and `ids[bank][col]`, `enables[bank][col]`."""

    rows: list[list[dict[str, int]]]
    ids: list[list[int]]
    enables: list[list[int]]


def random_tables(geometry: Geometry, random: Random) -> Tables:
    """Few distinct tags, so that most beats have targets; some rows and columns want nothing."""
    row_ids = [random.randrange(1 << geometry.row_tag) for _ in range(3)]
    offsets = [random.randrange(1 << geometry.col_tag) for _ in range(2)]
    col_ids = [random.randrange(1 << geometry.col_tag) for _ in range(3)]

    def row() -> dict[str, int]:
        return {
            "enable": int(random.random() < 0.8),
            "id": random.choice(row_ids),
            "offset": random.choice(offsets),
        }

    return Tables(
        rows=[[row() for _ in range(geometry.rows)] for _ in range(2)],
        ids=[[random.choice(col_ids) for _ in range(geometry.cols)] for _ in range(2)],
        enables=[[int(random.random() < 0.8) for _ in range(geometry.cols)] for _ in range(2)],
    )


def random_beat(geometry: Geometry, tables: Tables, random: Random, payload_bits: int) -> dict:
    """A beat that usually has targets."""
    bank = random.randrange(2)
    wanted = random.choice(tables.rows[bank])
    tag = random.choice(tables.ids[bank]) + wanted["offset"]
    if random.random() < 0.15:
        tag += random.randrange(1 << geometry.col_tag)
    return {
        "payload": random.getrandbits(payload_bits),
        "row": wanted["id"] if random.random() < 0.9 else random.randrange(1 << geometry.row_tag),
        "tag": tag % (1 << geometry.col_tag),
        "bank": bank,
    }


def targets(geometry: Geometry, tables: Tables, beat: dict) -> set[tuple[int, int]]:
    """(row, column) of all PEs that a beat is for."""
    bank = beat["bank"]
    found = set()
    for r, row in enumerate(tables.rows[bank]):
        for c, (wanted, enable) in enumerate(
            zip(tables.ids[bank], tables.enables[bank], strict=True)
        ):
            tag = (wanted + row["offset"]) % (1 << geometry.col_tag)
            if row["enable"] and enable and row["id"] == beat["row"] and tag == beat["tag"]:
                found.add((r, c))
    return found
