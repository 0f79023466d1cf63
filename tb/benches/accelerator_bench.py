"""The whole accelerator: programs in, results out, phase by phase."""

from typing import Any

import cocotb

from hw.arch.config import Config
from tb.bus import Bench, Sink, Source, read_case
from tb.models.counting import check_counters
from tb.models.result_words import ALL

WORD_BITS = 64


def _beats(words: list[int], width: int) -> list[int]:
    """Words as link beats, least significant first."""
    mask = (1 << width) - 1
    return [word >> low & mask for word in words for low in range(0, WORD_BITS, width)]


def _words(beats: list[str], width: int) -> list[str]:
    """The bits of whole words out of the bits of link beats."""
    per_word = WORD_BITS // width
    whole = len(beats) // per_word * per_word
    return [
        "".join(reversed(beats[first : first + per_word])) for first in range(0, whole, per_word)
    ]


def _masked(bits: str, mask: int) -> int | None:
    """A word with the bits outside the mask as 0; None if one of the others is unknown."""
    kept = "".join(
        bit if int(wanted) else "0" for bit, wanted in zip(bits, f"{mask:064b}", strict=True)
    )
    return int(kept, 2) if set(kept) <= {"0", "1"} else None


@cocotb.test()
async def phases(dut: Any) -> None:
    """Each phase must cause exactly its results; see `tb.models.program.Phase`."""
    case = read_case()
    config = Config.from_dict(case["config"])
    width = config.link.width
    seed, stall = case["seed"], case["stall"]
    bench = Bench(dut, seed=seed, probe=0.1 if stall else 0.0)
    cmd = bench.add(Source(dut, "cmd", width, seed=seed, stall=stall))
    result = bench.add(Sink(dut, "result", None, seed=seed, stall=stall))
    await bench.start()
    for number, phase in enumerate(case["phases"]):
        cmd.items.extend(_beats(phase["words"], width))
        result.received.clear()
        if phase["reset_after"]:
            await bench.idle(phase["reset_after"])
            cmd.reset()
            result.reset()
            await bench.reset()
            continue
        if phase["deaf"]:
            result.limit = 0
            await bench.idle(phase["deaf"])
            result.limit = None
        expected = phase["expected"]
        beats = len(expected) * WORD_BITS // width

        def answered(beats: int = beats) -> bool:
            return cmd.idle and len(result.received) >= beats

        await bench.run(answered, limit=case["limit"])
        await bench.idle(20)
        got = _words(result.values, width)
        assert len(got) == len(expected), f"phase {number}: {len(got)} words, not {len(expected)}"
        for place, (bits, wanted, mask) in enumerate(
            zip(got, expected, phase["masks"], strict=True)
        ):
            assert _masked(bits, mask) == wanted & mask, (
                f"phase {number}, result word {place}: {bits}, not {wanted:064b} in {mask:064b}"
            )
        if case["counters"]:
            check_counters(config, [_masked(bits, ALL) or 0 for bits in got], expected)
