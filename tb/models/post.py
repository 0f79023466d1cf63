"""Items of the post-processor, and the buffer writes that they must cause."""

from dataclasses import dataclass

from hw.arch.commands import Rounding
from hw.arch.config import Config
from tb.models.rounding_reference import Vector, expected, vectors_of

ADDRESSES = 1 << 20
ENTRY = ("bias", "multiplier", "shift", "addend")  # as vectors have them; the last in mode AFFINE

GEOMETRIES = [
    {"post.units": 1},
    {"post.units": 2, "buffer.width": 32, "array.psum_width": 24, "noc.ifmap": 2},
    {"post.units": 4},
    {"post.units": 4, "buffer.width": 32, "array.psum_width": 16},
    {"post.units": 8, "noc.psum_out": 8, "buffer.banks": 16},
    {"post.units": 2, "buffer.width": 128, "array.psum_width": 40},
    {"post.units": 1, "array.data_width": 16, "array.psum_width": 16, "noc.filter": 4,
     "buffer.width": 32, "noc.ifmap": 1},
    {"post.units": 4, "array.data_width": 16, "array.psum_width": 40, "noc.filter": 4},
    {"post.units": 8, "array.data_width": 16, "noc.filter": 4, "noc.psum_out": 8,
     "buffer.width": 128},
]  # fmt: skip


@dataclass(frozen=True)
class PostLayer:
    """One configuration, its parameter rows and its items."""

    mode: Rounding
    bounds: tuple[int, int, int]  # zero point, low, high
    plane: int

    def fields(self) -> dict:
        zero_point, low, high = self.bounds
        lane = {"mode": self.mode, "zero_point": zero_point, "low": low, "high": high}
        return {"lane": lane, "plane": self.plane}


@dataclass(frozen=True)
class PostItem:
    """One item as a testbench sees it."""

    bank: int
    vectors: tuple[Vector, ...]  # one a unit; the entry is that of `row`
    mask: int
    addr: int
    lane: int
    row: int

    def payload(self) -> dict:
        names = ("bank", "mask", "addr", "lane", "row")
        return {name: getattr(self, name) for name in names} | {
            "acc": [vector[0] for vector in self.vectors]
        }


def stored_bytes(
    config: Config, layer: PostLayer, item: PostItem
) -> list[tuple[int, dict[int, int]]]:
    """The buffer words that an item writes: address and, by byte in the word, what is stored."""
    raw = layer.mode is Rounding.RAW
    size = 4 if raw else config.array.data_width // 8
    word_bytes = config.buffer.width // 8
    words: dict[int, dict[int, int]] = {}
    for unit, vector in enumerate(item.vectors):
        if item.mask >> unit & 1:
            value = expected(layer.mode, layer.bounds, vector)
            block, byte = divmod((item.lane + unit) * size, word_bytes)
            address = (item.addr + block * layer.plane) % ADDRESSES
            for i, part in enumerate((value % (1 << 8 * size)).to_bytes(size, "little")):
                words.setdefault(address, {})[byte + i] = part
    return list(words.items())


def make_items(config: Config, layers, rng, count, *, acc_width=None, full=False) -> list[PostItem]:
    """Items of random rows; the parameters of a row are those of its first item."""
    units = config.post.units
    width = acc_width or config.array.psum_width
    rows = config.post.channels // units
    row_of_bank = [list(range(0, rows, 2)), list(range(1, rows, 2))]
    pools = [iter(vectors_of(layer.mode, rng, width, 2 * units * count)) for layer in layers]
    entries: dict[int, list[Vector]] = {}
    items = []
    for _ in range(count):
        bank = rng.randrange(len(layers))
        row = rng.choice(row_of_bank[bank])
        fresh = [next(pools[bank]) for _ in range(units)]
        kept = entries.setdefault(row, fresh)
        vectors = tuple(
            (new[0], *old[1:]) if rng.random() < 0.5 else old
            for new, old in zip(fresh, kept, strict=True)
        )
        lane = rng.randrange(config.lanes // units) * units
        mask = (1 << units) - 1 if full else rng.randrange(1 << units)
        items.append(PostItem(bank, vectors, mask, rng.randrange(ADDRESSES), lane, row))
    return items


def expected_writes(config, layers, items):
    return [write for item in items for write in stored_bytes(config, layers[item.bank], item)]


def layer_of(mode: Rounding, data_width: int, plane: int = 37) -> PostLayer:
    bounds = (3, -128, 127) if data_width == 8 else (0, -32768, 32767)
    return PostLayer(mode, bounds, plane)
