"""The firmware of the processor that takes the place of decoder and engines: built from C."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.microcontroller.elf import loaded_bytes, memory_end
from hw.microcontroller.firmware_header import render_header
from hw.microcontroller.registers import RAM, ROM

SOURCES = Path(__file__).with_name("firmware")
STACK_BYTES = 1024

_TARGET = ("-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+relax")  # RV32I
_FLAGS = (
    *("-std=c11", "-Oz", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-builtin"),
    *("-fomit-frame-pointer", "-fno-sanitize=all", "-ffunction-sections", "-fdata-sections"),
    *("-fno-strict-aliasing", "-flto", "-nostdlib"),
)


def rom_words(image: bytes) -> tuple[int, ...]:
    """32-bit words of a little-endian image, the last one padded with 0."""
    padded = image + bytes(-len(image) % 4)
    return tuple(int.from_bytes(padded[i : i + 4], "little") for i in range(0, len(padded), 4))


def working_bytes(config: Config) -> int:
    """Bytes of RAM after the global buffer that the firmware needs, stack included.

    Raises `RowforgeError` as `build` does.
    """
    end = memory_end(_linked(config))
    return -(-(end - RAM - config.glb_bytes) // 4) * 4


def build(config: Config) -> tuple[int, ...]:
    """The firmware for a configuration: 32-bit words of the ROM from address 0 on.

    All commands of `docs/architecture.md` are served one after the other. Of `COUNTERS` the stalls
    are not counted: they are 0.

    Raises
    ------
    RowforgeError
        If ziglang is not installed.
    """
    return rom_words(loaded_bytes(_linked(config)))


@cache
def _linked(config: Config) -> bytes:
    """The ELF file."""
    with tempfile.TemporaryDirectory(prefix="rowforge-firmware-") as name:
        folder = Path(name)
        output = folder / "firmware.elf"
        places = {"ROM": ROM, "RAM": RAM, "BUFFER": config.glb_bytes, "STACK": STACK_BYTES}
        script = folder / "places.ld"
        text = "".join(f"{symbol} = {value};\n" for symbol, value in places.items())
        script.write_text(text + (SOURCES / "firmware.ld").read_text(encoding="utf-8"))
        options = [*_TARGET, *_FLAGS, "-Wl,--gc-sections", "-Wl,-e,start", "-T", str(script)]
        compile_sources(config, folder, options, output)
        return output.read_bytes()


def compile_sources(
    config: Config, folder: Path, options: Sequence[str], output: Path, *, sources: Path = SOURCES
) -> None:
    """Compile and link all C files for a configuration with ziglang; `folder` is for scratch."""
    if find_spec("ziglang") is None:
        raise RowforgeError(
            "a processor's firmware is compiled by ziglang, which is not "
            "installed: type pip install 'rowforge[processor]'"
        )
    (folder / "rowforge.h").write_text(render_header(config), encoding="utf-8")
    files = sorted(str(path) for path in sources.glob("*.c"))
    command = [sys.executable, "-m", "ziglang", "cc", *options, f"-I{folder}", f"-I{sources}"]
    caches = {f"ZIG_{kind}_CACHE_DIR": str(folder / "cache") for kind in ("GLOBAL", "LOCAL")}
    result = subprocess.run(
        [*command, *files, "-o", str(output)],
        capture_output=True,
        text=True,
        env={**os.environ, **caches},
        check=False,
    )
    if result.returncode:
        raise RowforgeError(f"ziglang cannot compile the firmware: {result.stderr.strip()}")
