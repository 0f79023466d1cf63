"""The files of a process: what tools say of the Verilog, and what layout flows know of the rest."""

import gzip
import re
from dataclasses import replace

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hw.asic.floorplan import floorplan
from hw.asic.flows.kit import kit_maker, module_of
from hw.asic.hierarchy import DesignHierarchy
from hw.asic.macros.composition import compose
from hw.asic.process import GENERIC, IHP_SG13G2, PROCESSES, SKY130
from hw.base.block import Block
from hw.base.memory import Ram, SinglePortRam
from hw.emit.verilog import Options, generate
from sim.verilator import lint, lint_files
from tests.support.pdk import pdk


class Cell(Block):
    """A memory of few words, as a PE has."""

    a: In(8)
    b: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.submodules.spad = spad = Ram(width=8, depth=16)
        place = Signal(4)
        m.d.sync += place.eq(place + 1)
        m.d.comb += [
            *(spad.write.en.eq(1), spad.write.addr.eq(place), spad.write.data.eq(self.a)),
            *(spad.read.en.eq(1), spad.read.addr.eq(place - 1), self.b.eq(spad.read.data)),
        ]
        return m


class Chip(Block):
    """Four banks, a memory of two ports that is wide and deep, and 2 x 2 PEs."""

    a: In(8)
    b: Out(8)

    def elaborate(self, platform):
        m = Module()
        place, given = Signal(10), Signal(8, reset_less=True)
        m.d.sync += [place.eq(place + 1), given.eq(self.a)]
        m.submodules.wide = wide = Ram(width=72, depth=600)
        m.d.comb += [
            *(wide.write.en.eq(place < 600), wide.write.addr.eq(place)),
            *(wide.read.en.eq(place < 600), wide.read.addr.eq(place ^ 1)),
            wide.write.data.eq(given.replicate(9)),
        ]
        found = wide.read.data[:8]
        for bank in range(4):
            m.submodules[f"bank_{bank}"] = ram = SinglePortRam(width=64, depth=512, lane_width=8)
            m.d.comb += [
                *(ram.en.eq(1), ram.we.eq(given), ram.addr.eq(place)),
                ram.wdata.eq(wide.read.data),
            ]
            found = found ^ ram.rdata[8 * bank :][:8]
        for row in range(2):
            for col in range(2):
                m.submodules[f"pe_{row}_{col}"] = cell = Cell()
                m.d.comb += cell.a.eq(given + row)
                found = found ^ cell.b
        m.d.comb += self.b.eq(found)
        return m


# Of flow/scripts/variables.yaml of OpenROAD-flow-scripts at commit 8c009b0b.
OPENROAD_VARIABLES = {
    *("ADDITIONAL_GDS", "ADDITIONAL_LEFS", "ADDITIONAL_LIBS", "CORE_AREA", "DESIGN_NAME"),
    *("DIE_AREA", "INFER_CLKGATES", "MACRO_PLACEMENT_TCL", "PLATFORM", "POS_CLKGATE_AND_PORTS"),
    *("SDC_FILE", "VERILOG_FILES"),
}
# Of the flow Classic of LibreLane 3.0.17.
LIBRELANE_VARIABLES = {
    *("CLOCK_PERIOD", "CLOCK_PORT", "CORE_AREA", "DESIGN_NAME", "DIE_AREA", "FP_SIZING", "MACROS"),
    *("PDK", "PNR_SDC_FILE", "SIGNOFF_SDC_FILE", "SYNTH_CLOCKGATE_MIN_WIDTH"),
    *("SYNTH_CLOCKGATE_POSEDGE_ICG", "VERILOG_FILES"),
}


@pytest.fixture(scope="module")
def emitted(tmp_path_factory):
    """A design in a folder with its kit for IHP's process, and what kits are made of."""
    folder, designs = tmp_path_factory.mktemp("asic"), []

    def make_kit(design):
        designs.append(design)
        return kit_maker(IHP_SG13G2)(design)

    options = Options(reset_all=True, memories="macros")
    generate(
        Chip(),
        folder,
        name="npu",
        version="1",
        options=options,
        period_ns=12.5,
        make_kit=make_kit,
    )
    return folder, designs[0]


def with_kit(emitted, folder, process):
    """The folder with the kit of another process."""
    origin, design = emitted
    if process is IHP_SG13G2:
        return origin, kit_maker(process)(design)
    kit = kit_maker(process)(design)
    for name, text in {**kit.models, **kit.stubs, **kit.files, "npu.v": design.verilog}.items():
        (folder / name).write_text(text)
    (folder / "npu.f").write_text("\n".join([*kit.models, "npu.v"]))
    waivers = (origin / "npu.vlt").read_text()
    stub = next(iter(kit_maker(IHP_SG13G2)(design).stubs))
    for name in kit.stubs:
        waivers += "".join(
            line.replace(stub, name) + "\n" for line in waivers.splitlines() if stub in line
        )
    (folder / "npu.vlt").write_text(waivers)
    return folder, kit


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES)
def test_verilator_has_nothing_to_say_of_models_and_stubs(emitted, tmp_path, process):
    folder, kit = with_kit(emitted, tmp_path, process)
    assert lint(folder) == []
    wrappers = [name for name in kit.models if name.endswith("_memories.v")]
    assert lint_files(folder, "npu", ["npu.vlt", *wrappers, *kit.stubs, "npu.v"]) == []


def test_registers_are_reset_and_small_memories_are_registers(emitted):
    folder, design = emitted
    initial = {line.strip() for line in design.verilog.splitlines() if "initial " in line}
    assert initial <= {"initial at_start = 0;"}
    assert min(geometry.depth for geometry in design.geometries) > 64
    assert "npu_macro_ram_1rw_512x64_l8 macro (" in design.verilog
    assert "posedge" in design.verilog
    assert "#(" not in design.verilog, "a memory was left to parameters"
    assert (folder / "npu.f").read_text().split() == ["npu_memories.v", "npu_macros.v", "npu.v"]


def exported(text):
    """Variables of a `config.mk` and their values."""
    joined = text.replace("\\\n", " ")
    return dict(re.findall(r"^export (\w+) = (.*)$", joined, re.MULTILINE))


@pytest.mark.parametrize("process", [IHP_SG13G2, SKY130], ids=lambda p: p.name)
def test_config_mk(emitted, process):
    _, design = emitted
    files = kit_maker(process)(design).files
    variables = exported(files["config.mk"])
    assert set(variables) == OPENROAD_VARIABLES
    assert variables["PLATFORM"] == process.layout.openroad_platform
    placed = re.findall(r"-macro_name \{(\S+)\}", files["macro_placement.tcl"])
    assert len(placed) == len(set(placed)) > 4
    assert all(path.split(".")[-2] == "macro" for path in placed)
    assert "# region pe_1_1 " in files["macro_placement.tcl"]
    # The platforms look for the period in this form.
    assert re.search(r"^set clk_period 12\.500$", files["constraint.sdc"], re.MULTILINE)


def test_sources_of_flows_are_in_the_folder(emitted):
    folder, _ = emitted
    for name in exported((folder / "config.mk").read_text())["VERILOG_FILES"].split():
        assert (folder / name.removeprefix("$(ROWFORGE_DIR)")).is_file()


@pytest.mark.parametrize("process", [IHP_SG13G2, SKY130], ids=lambda p: p.name)
def test_config_yaml_names(emitted, process):
    _, design = emitted
    text = kit_maker(process)(design).files["config.yaml"]
    names = set(re.findall(r"^([A-Z_]+):", text, re.MULTILINE))
    assert names == LIBRELANE_VARIABLES
    assert "npu_stub_" in text


@pytest.mark.parametrize("process", [IHP_SG13G2, SKY130], ids=lambda p: p.name)
def test_librelane_takes_its_configuration(emitted, tmp_path, process):
    """Each variable is known to the flow, and takes its value with its type."""
    classic = pytest.importorskip("librelane.flows.classic", reason="librelane is not installed")
    import yaml
    from librelane.common import GenericDict
    from librelane.config.flow import flow_common_variables, pdk_variables

    known = {v.name: v for v in [*pdk_variables, *flow_common_variables]}
    for step in classic.Classic.Steps:
        known |= {v.name: v for v in step.config_vars}
    folder, kit = with_kit(emitted, tmp_path, process)
    values = yaml.safe_load(kit.files["config.yaml"])
    values.pop("meta")
    assert not set(values) - set(known)
    mutable, warnings = GenericDict(resolved(values, folder, tmp_path / "pdk")), []
    compiled = {name: known[name].compile(mutable, warnings)[1] for name in values}
    assert warnings == []
    for macro in compiled["MACROS"].values():
        assert macro.instances and macro.vh and macro.lib
        assert all(instance.location for instance in macro.instances.values())
    assert len(compiled["DIE_AREA"]) == 4


def resolved(value, folder, root):
    """The flow's prefixes of paths in place of its preprocessor, with empty files of a PDK."""
    if isinstance(value, dict):
        return {key: resolved(item, folder, root) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item, folder, root) for item in value]
    if isinstance(value, str) and value.startswith("dir::"):
        return str(folder / value.removeprefix("dir::"))
    if isinstance(value, str) and value.startswith("pdk_dir::"):
        path = root / value.removeprefix("pdk_dir::")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return str(path)
    return value


def test_generic_memories_are_black_boxes_of_any_size(emitted):
    _, design = emitted
    kit = kit_maker(GENERIC)(design)
    assert set(kit.models) == {"npu_macros.v"} and set(kit.stubs) == {"npu_stubs.v"}
    assert not kit.files
    stubs = kit.stubs["npu_stubs.v"]
    modules = re.findall(r"^module (\w+)", stubs, re.MULTILINE)
    assert modules == [module_of(design, geometry.name) for geometry in design.geometries]


# ---- the floor plan ------------------------------------------------------------------------


def plan_of(design, process):
    compositions = {
        module_of(design, g.name): compose(g, process.macros, process.name)
        for g in design.geometries
    }
    return floorplan(DesignHierarchy(design.verilog, design.name), compositions, process.layout)


@pytest.mark.parametrize("process", [IHP_SG13G2, SKY130], ids=lambda p: p.name)
@pytest.mark.parametrize("bit_area", [1.0, 50.0, 2000.0])
def test_macros_are_inside_and_do_not_overlap(emitted, process, bit_area):
    """Also where there is hardly anything between them, and the columns are many."""
    _, design = emitted
    plan = plan_of(design, replace(process, layout=replace(process.layout, bit_area=bit_area)))
    parts = [placed.rectangle for placed in plan.macros]
    assert plan.die.contains(plan.core)
    for number, part in enumerate(parts):
        assert plan.core.contains(part)
        assert not part.overlaps(plan.cells)
        assert not any(part.overlaps(other) for other in parts[:number])
    banks = [p for p in plan.macros if "bank_" in p.path]
    assert len(banks) >= 4
    assert max(b.rectangle.right for b in banks) <= plan.cells.left
    regions = list(plan.regions.values())
    assert len(regions) == 4
    assert not any(a.overlaps(b) for i, a in enumerate(regions) for b in regions[:i])


def test_registers_are_counted(emitted):
    _, design = emitted
    text = (
        "module t(a);\n  reg [3:0] x;\n  reg y;\n  reg [7:0] m [15:0];\n"
        "  always @(posedge clk)\n    x <= _1_;\n  always @(posedge clk) begin\n"
        "    if (e)\n      m[a] <= d;\n  end\n  always @* begin\n    y = 1;\n  end\n"
        "  t_child first (\n  );\n  t_child second (\n  );\nendmodule\n"
        "module t_child(b);\n  reg z;\n  always @(posedge clk)\n    z <= b;\nendmodule\n"
    )
    assert DesignHierarchy(text, "t").register_bits == 4 + 16 * 8 + 2
    assert [path for path, _ in DesignHierarchy(text, "t").instances()] == ["first", "second"]


def test_the_catalogue_agrees_with_the_vendors_files():
    """Size by LEF, area and pins by liberty, of the macros whose files are there."""
    folder, seen = pdk("ihp-sg13g2"), 0
    for macro in IHP_SG13G2.macros:
        library = folder / f"{macro.name}_typ_1p20V_25C.lib.gz"
        if not library.exists():
            continue
        seen += 1
        text = gzip.decompress(library.read_bytes()).decode()
        area = float(re.search(r"^ *area *: ([\d.]+)", text, re.MULTILINE)[1])
        assert macro.area == pytest.approx(area, rel=1e-3)
        widths = {kind: int(last) + 1 for kind, last in re.findall(r"type \((\w)_(\d+)_0\)", text)}
        assert widths["A"] == macro.address_bits and widths["D"] == macro.width
        named = set(re.findall(r"(?<!_)(?:pin|bus) ?\(([A-Z_]+)\)", text))
        assert named == {pin.name for pin in macro.pins()}
        lef = folder / f"{macro.name}.lef"
        if lef.exists():
            width, height = re.search(r"SIZE ([\d.]+) BY ([\d.]+)", lef.read_text()).groups()
            assert macro.size == (float(width), float(height))
    assert seen > 5
