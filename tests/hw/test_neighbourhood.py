"""Designs of different prefixes in one: names of modules, files and macros, and other tools' word.

Two accelerators of different size and one with a processor stand beside a SoC that has modules and
macros of the names that ours would have without a prefix, PicoRV32 itself among them.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.base.rtlil_text import RESERVED_WORDS
from hw.emit.foreign import with_own_names
from hw.emit.prefix import LONGEST, check_prefix
from hw.emit.yosys import run_yosys
from hw.microcontroller.core import source
from rowforge.generation import generate
from sim.verilator import lint_files
from tests.hw.microcontroller.cases import CONFIG as PROCESSOR
from tests.rowforge.support import rowforge

SMALL = Config.of(
    {
        "array.rows": 1,
        "array.cols": 1,
        "buffer.depth": 32,
        "post.channels": 16,
        "control.row_patterns": 2,
        "control.col_patterns": 2,
        "link.width": 16,
    }
)
LARGER = Config.of(
    {
        "array.rows": 3,
        "array.cols": 4,
        "buffer.depth": 64,
        "post.channels": 16,
        "control.row_patterns": 4,
        "control.col_patterns": 4,
    }
)
DESIGNS = {"front": SMALL, "back": LARGER, "rowforge": PROCESSOR}
MACROS = ("FORMAL", "DEBUG", "assert", "debug")  # PicoRV32's own and its conditions'
TAKEN = ("queue", "decoder", "engine", "pe", "accelerator", "ram_1r1w")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three designs, the first with macros for memories, and a SoC around them."""
    folder = tmp_path_factory.mktemp("neighbourhood")
    for prefix, config in DESIGNS.items():
        memories = "blackbox" if config is SMALL else "infer"
        generate(config, folder / prefix, prefix=prefix, memories=memories)
    (folder / "picorv32.v").write_text(source())
    macros = (f"`define {macro} nobody_may_see_this\n" for macro in MACROS)
    (folder / "macros.v").write_text("".join(macros))
    (folder / "soc.v").write_text(_soc(folder))
    return folder


def _soc(folder: Path) -> str:
    """A SoC's Verilog: each design once, streams handed on, and modules of everybody's names."""
    lines = ["`timescale 1ns/1ps"]
    lines += [f"module {name}(input a, output b); assign b = a; endmodule" for name in TAKEN]
    ports, body, stream = [], [], "start"
    for prefix, config in DESIGNS.items():
        width = config.link.width
        for side, way in (("cmd", "input"), ("result", "output")):
            back = "output" if way == "input" else "input"
            ports += [f"{way} [{width - 1}:0] {prefix}_{side}", f"{way} {prefix}_{side}_valid"]
            ports += [f"{back} {prefix}_{side}_ready"]
        pins = [".clk(clk)", ".rst(rst)"]
        for side in ("cmd", "result"):
            pins.append(f".{side}__payload({prefix}_{side})")
            pins += [f".{side}__{pin}({prefix}_{side}_{pin})" for pin in ("valid", "ready")]
        body.append(f"  {prefix} {prefix}_0({', '.join(pins)});")
    for name in TAKEN:
        body += [f"  wire after_{name};", f"  {name} {name}_0(.a({stream}), .b(after_{name}));"]
        stream = f"after_{name}"
    body.append(f"  assign finish = {stream};")
    head = ", ".join(["input clk", "input rst", "input start", "output finish", *ports])
    return "\n".join([*lines, f"module soc({head});", *body, "endmodule", ""])


def _sources(folder: Path) -> list[str]:
    """A neighbour's macros, which reach all the others, what the file lists name, the SoC."""
    ours = [
        f"{prefix}/{name}"
        for prefix in DESIGNS
        for name in (folder / prefix / f"{prefix}.f").read_text().split()
    ]
    return ["macros.v", *ours, "soc.v"]


def _waivers() -> list[str]:
    return [f"{prefix}/{prefix}.vlt" for prefix in DESIGNS]


def _modules(folder: Path) -> list[str]:
    texts = [(folder / name).read_text() for name in _sources(folder)]
    return [name for text in texts for name in re.findall(r"^module (\w+)", text, re.MULTILINE)]


@pytest.mark.slow
def test_no_two_modules_and_no_two_files_share_a_name(folder: Path) -> None:
    modules = _modules(folder)
    assert len(modules) == len(set(modules)) > 100
    for name in set(modules) - {"soc", *TAKEN}:
        assert name in DESIGNS or name.startswith(tuple(f"{prefix}_" for prefix in DESIGNS))
    for prefix, more in (("front", "front_rams.v"), ("rowforge", "rowforge_picorv32.v")):
        written = {path.name for path in (folder / prefix).iterdir() if path.is_file()}
        assert {more, f"{prefix}.vlt", f"{prefix}.h", f"{prefix}.core"} <= written
        assert all(re.match(rf"{prefix}[._]", name) for name in written)


@pytest.mark.slow
def test_macros_of_c_begin_with_the_prefix(folder: Path) -> None:
    for prefix in DESIGNS:
        names = re.findall(
            r"^#\w+ (\w+)", (folder / prefix / f"{prefix}.h").read_text(), re.MULTILINE
        )
        assert len(names) > 300
        assert all(name.startswith(f"{prefix.upper()}_") for name in names if name != "endif")
        assert max(map(len, names)) - len(prefix) + LONGEST <= 63


@pytest.mark.slow
def test_verilator_has_nothing_to_say_of_all_in_one(folder: Path) -> None:
    (folder / "soc.vlt").write_text(
        '`verilator_config\nlint_off -rule DECLFILENAME -file "soc.v"\n'
    )
    assert lint_files(folder, "soc", [*_waivers(), "soc.vlt", *_sources(folder)]) == []


@pytest.mark.slow
def test_waivers_do_not_reach_the_neighbours(folder: Path) -> None:
    (folder / "careless.v").write_text(
        "module careless(input a, b, output c); assign c = a; endmodule"
    )
    said = lint_files(folder, "careless", [*_waivers(), "careless.v"])
    assert any("UNUSEDSIGNAL" in line for line in said)


@pytest.mark.slow  # the first call of a WebAssembly yosys takes more than a minute
def test_yosys_finds_every_module_once(folder: Path) -> None:
    script = ["read_verilog picorv32.v", f"read_verilog {' '.join(_sources(folder))}"]
    script += ["hierarchy -check -top soc", "proc", "check -assert"]
    said = run_yosys("\n".join(script), folder)
    assert "Re-definition" not in said


def test_foreign_verilog_keeps_everything_but_names() -> None:
    text = source()
    own = with_own_names(text, "mine")
    stripped = own.replace("mine_", "").split("\n", 1)[1]
    assert stripped == re.sub(r"^`timescale.*\n", "", text, flags=re.MULTILINE)
    assert not re.search(r"^\s*module (?!mine_)", own, re.MULTILINE)
    assert not re.search(r"`(define|ifn?def|elsif) (?!mine_|default_nettype)", own)
    assert set(re.findall(r"`(assert|debug|FORMAL_KEEP|PICORV32_REGS)\b", own)) == set()


@pytest.mark.parametrize("name", ["rowforge", "a", "A1", "npu_2", "x" * LONGEST])
def test_prefixes(name: str) -> None:
    check_prefix(name)


@pytest.mark.parametrize(
    "name", ["", "_a", "a_", "a__b", "1a", "a-b", "a b", "a\n", "é", "x" * (LONGEST + 1)]
)
def test_what_cannot_begin_a_name_is_refused(name: str) -> None:
    with pytest.raises(RowforgeError, match="prefix must be 1 to 24 letters, digits and single"):
        check_prefix(name)


@pytest.mark.parametrize("name", ["std", *sorted(RESERVED_WORDS)[::40]])
def test_words_of_verilog_are_refused(name: str) -> None:
    with pytest.raises(RowforgeError, match="prefix must not be a word that Verilog reserves"):
        check_prefix(name)


def test_the_command_refuses_it_before_all_work(capsys, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("generate", "--preset", "tiny", "-o", out, "--prefix")
    rowforge(capsys, *arguments, "9lives").assert_refused("9lives")
    rowforge(capsys, *arguments, "small").assert_refused("small")
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="no iverilog")
def test_the_testbench_of_a_prefix_finds_its_design(folder: Path) -> None:
    done = subprocess.run(
        ["make", "-C", str(folder / "front" / "tb"), f"PYTHON={sys.executable}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "FAIL=0" in done.stdout
