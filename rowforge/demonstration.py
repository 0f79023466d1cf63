"""The main job on the model that ships with the package, from configuration to checked result."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from rowforge.generation import generate
from rowforge.reports.picture import picture
from rowforge.reports.report import report
from rowforge.running.compilation import Compiled, compile_model, digits_model
from rowforge.running.execution import Result, run_program
from rowforge.running.targets import GOLDEN, RTL

PRESET = "tiny"
RTL_DIGITS = 20
Say = Callable[[str], None]


@dataclass(frozen=True)
class Digits:
    """Held-out digits: int8 images (N, 8, 8, 1), quantised for the model, and their classes."""

    images: NDArray[np.int8]
    labels: NDArray[Any]


def held_out_digits() -> Digits:
    """The digits that ship with the package; the model was not trained on them."""
    path = resources.files("rowforge") / "models" / "digits_test.npz"
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Digits(arrays["images"], arrays["labels"])


@dataclass(frozen=True)
class Demonstration:
    """What the demonstration found.

    Attributes
    ----------
    right, digits : digits that the golden model reads right, of how many
    checked : digits whose every layer was equal on the RTL
    report : per-layer report of one digit on the RTL
    files : what was written
    """

    right: int
    digits: int
    checked: int
    report: dict[str, Any]
    files: list[Path]


def demonstrate(folder: Path, say: Say) -> Demonstration:
    """Classify held-out digits, prove some on the RTL, leave Verilog and picture in `folder`.

    `say` is told what happens. Raises `RowforgeError` if the folder cannot be written, or with the
    first difference if the RTL is wrong.
    """
    config, digits = preset(PRESET), held_out_digits()
    _make(folder)
    say(
        f"Verilog: {config.array.rows} × {config.array.cols} PEs (preset {PRESET}) "
        f"into {folder / 'verilog'}"
    )
    files = generate(config, folder / "verilog")

    compiled = compile_model(digits_model(), config, keep_layers=True)
    say(f"golden model: {len(digits.labels)} held-out digits")
    golden = run_program(compiled, digits.images, GOLDEN)
    right = int((_classes(golden) == digits.labels).sum())
    say(f"  {right} right, {100 * right / len(digits.labels):.2f} %")

    say(f"RTL: the first {RTL_DIGITS} of them on the Verilog, every layer compared")
    result = _prove(compiled, digits)
    say(f"  {result.layers_checked} layer outputs, equal to the golden model in every bit")

    document = report(
        compiled.program, result.counters, result.cycles, result.edge_values, result.edge_steps
    )
    drawing = folder / "digits.svg"
    _write(drawing, _draw(digits, result, document))
    return Demonstration(right, len(digits.labels), result.inputs, document, [*files, drawing])


def _prove(compiled: Compiled, digits: Digits) -> Result:
    """Some digits on the RTL, every layer stored and compared."""
    result = run_program(compiled, digits.images[:RTL_DIGITS], RTL, check=True)
    if result.difference is not None:
        raise WrongResultError(f"the RTL is wrong: {result.difference}")
    return result


class WrongResultError(RuntimeError):
    """The RTL does not compute what the golden model computes."""


def _classes(result: Result) -> NDArray[np.int64]:
    (scores,) = result.outputs.values()
    return np.asarray(scores.argmax(axis=1))


def _draw(digits: Digits, result: Result, document: dict[str, Any]) -> str:
    read = _classes(result)
    count = len(read)
    return picture(
        digits.images[:count],
        read.tolist(),
        digits.labels[:count].tolist(),
        document["layers"],
        f"{count} handwritten digits, read by the generated Verilog (preset {PRESET})",
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RowforgeError(f"cannot make folder {folder}: {error.strerror}") from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RowforgeError(f"cannot write {path}: {error.strerror}") from None
