"""Random damage to model files; everything follows from seed and number."""

from collections.abc import Callable

import numpy as np

from tests.campaigns.damage.seeds import SEEDS, seed_model
from tests.support.onnx.broken import small_model
from tests.support.onnx.damage import damage

Damage = Callable[[np.random.Generator, bytearray], bytearray]

_WORDS = (
    *(0, 1, 2, 3, 4, 7, 8, 9, 31, 127, 128, 255, 256, 1001, 0xFFFF, 0x10000, 1 << 20, 1 << 27),
    *(0x3FFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF),
    *(0x7FC00000, 0x7F800000, 0xFF800000, 0x00000001, 0x3F800000, 0xBF800000, 0x7F7FFFFF),
)


def mutation(seed: int, number: int) -> tuple[str, bytes]:
    """(what was done, the damaged file) of one file of a campaign."""
    random = np.random.default_rng([seed, number])
    name = str(random.choice(list(SEEDS)))
    content = bytearray(seed_model(name))
    done = []
    for _ in range(int(random.choice([1, 1, 1, 2, 3]))):
        kind = str(random.choice(list(DAMAGES)))
        content = DAMAGES[kind](random, content)
        done.append(kind)
    return f"{name}: {', '.join(done)}", bytes(content)


def onnx_mutation(seed: int, number: int) -> tuple[str, bytes]:
    """The same of an ONNX file: its bytes, or messages that the parser lets through."""
    random = np.random.default_rng([seed, number, 1])
    form = str(random.choice(["qdq", "qoperator"]))
    model = small_model(form)
    if random.random() < 0.6:
        return f"onnx {form}: messages", damage(model, random).SerializeToString()
    kind = str(random.choice([name for name in DAMAGES if name != "spliced"]))
    content = DAMAGES[kind](random, bytearray(model.SerializeToString()))
    return f"onnx {form}: {kind}", bytes(content)


def _place(random: np.random.Generator, content: bytearray, width: int = 1) -> int:
    """A multiple of the width after root and identifier, as far as the file goes."""
    last = max(0, (len(content) - width) // width)
    first = min(8 // width, last)
    return int(random.integers(first, last + 1)) * width


def _bits(random: np.random.Generator, content: bytearray) -> bytearray:
    for _ in range(int(random.integers(1, 9))):
        if content:
            content[_place(random, content)] ^= 1 << int(random.integers(8))
    return content


def _word(random: np.random.Generator, content: bytearray) -> bytearray:
    place = _place(random, content, 4)
    value = int(random.choice(_WORDS))
    content[place : place + 4] = value.to_bytes(4, "little")
    return content


def _nudge(random: np.random.Generator, content: bytearray) -> bytearray:
    """A word a little larger or smaller: sizes, indices and offsets that nearly fit."""
    place = _place(random, content, 4)
    value = int.from_bytes(content[place : place + 4], "little")
    value = (value + int(random.integers(-9, 10))) % (1 << 32)
    content[place : place + 4] = value.to_bytes(4, "little")
    return content


def _copied_word(random: np.random.Generator, content: bytearray) -> bytearray:
    source, target = _place(random, content, 4), _place(random, content, 4)
    content[target : target + 4] = content[source : source + 4]
    return content


def _cut(random: np.random.Generator, content: bytearray) -> bytearray:
    return content[: _place(random, content)]


def _removed(random: np.random.Generator, content: bytearray) -> bytearray:
    place = _place(random, content, 4)
    del content[place : place + 4 * int(random.integers(1, 9))]
    return content


def _doubled(random: np.random.Generator, content: bytearray) -> bytearray:
    place = _place(random, content, 4)
    part = content[place : place + 4 * int(random.integers(1, 65))]
    content[place:place] = part
    return content


def _blank(random: np.random.Generator, content: bytearray) -> bytearray:
    place = _place(random, content, 4)
    size = min(4 * int(random.integers(1, 17)), len(content) - place)
    content[place : place + size] = bytes([int(random.choice([0, 255]))]) * size
    return content


def _spliced(random: np.random.Generator, content: bytearray) -> bytearray:
    """The beginning of one model and the end of another."""
    other = seed_model(str(random.choice(list(SEEDS))))
    place = _place(random, content, 4)
    return content[:place] + other[place:]


DAMAGES: dict[str, Damage] = {
    "bits": _bits,
    "word": _word,
    "nudge": _nudge,
    "copied word": _copied_word,
    "cut": _cut,
    "removed": _removed,
    "doubled": _doubled,
    "blank": _blank,
    "spliced": _spliced,
}
