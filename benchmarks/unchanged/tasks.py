"""What both commits are asked to make: designs, programs, estimates."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Request = dict[str, Any]

TOP = "rowforge"
TOPS = ("core", "framed", "axi")
EVERY, SMALL = 5, "icebreaker"  # of the random ones, with the microcontroller as this preset has it

# Elaboration takes time with the square of the PEs, of which the largest preset has as many, and
# with the bytes of memories.
MOST = {"pes": 168, "buffer": 1 << 20, "weight_memory": 1 << 18}

NETWORKS = ("alexnet", "mobilenet_v1")

_FOLDERS = ("mlperf_tiny", "tflite", "onnx", "cases")
_PRESETS = (
    ("tiny", "eyeriss_v1_int8", "ulx3s_85f", "pynq_z2", "icebreaker"),
    ("tiny", "eyeriss_v1_int8_x2", "tang_nano_20k"),
    ("tiny",),
)
_SIZES = (100_000, 1_000_000)  # bytes of a model file up to which the longer lists hold


def draw(count: int, seed: int) -> Request:
    """Ask for random configurations."""
    numbers = {"count": count, "seed": seed, "every": EVERY}
    return {"do": "draw", **numbers, "start": SMALL, "most": MOST}


def designs(presets: Sequence[str], drawn: Sequence[Mapping[str, Any]]) -> Iterator[Request]:
    """Verilog of every preset and of every random configuration.

    The top modules, the reset of all registers and the black boxes take turns.
    """
    for name in presets:
        yield _design(name, {"preset": name}, "core")
    for number, values in enumerate(drawn):
        top = TOPS[number % len(TOPS)]
        request = _design(f"random {number}", {"values": dict(values)}, top)
        boxes = "blackbox" if number // 4 % 2 else "infer"
        yield request | {"reset_all": bool(number // 2 % 2), "memories": boxes}


def _design(name: str, configuration: Mapping[str, Any], top: str) -> Request:
    request = {"do": "verilog", "case": f"{name} ({top})", **configuration}
    return {**request, "top": top, "name": TOP, "reset_all": False, "memories": "infer"}


def programs(folder: Path, presets: Sequence[str]) -> Iterator[Request]:
    """Every model of the folder on several presets; large models on fewer."""
    for path in models(folder):
        size = path.stat().st_size
        chosen = _PRESETS[sum(size > most for most in _SIZES)]
        for preset in (name for name in chosen if name in presets):
            case = f"{path.relative_to(folder)} on {preset}"
            yield {"do": "program", "case": case, "preset": preset, "model": str(path)}


def models(folder: Path) -> list[Path]:
    """The recorded models, smallest first."""
    found = [
        path
        for name in _FOLDERS
        for path in (folder / name).rglob("*")
        if path.suffix in (".tflite", ".onnx")
    ]
    return sorted(found, key=lambda path: (path.stat().st_size, path))


def estimates(presets: Sequence[str]) -> Iterator[Request]:
    """The published networks on every preset; what nothing models is refused by both commits."""
    for network in NETWORKS:
        for preset in presets:
            case = f"{network} on {preset}"
            yield {"do": "estimate", "case": case, "preset": preset, "network": network}
