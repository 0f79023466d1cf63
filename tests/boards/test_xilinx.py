"""The part for Vivado: its description against the emitted Verilog, the registers, the driver."""

import re
from xml.etree import ElementTree

import pytest

from boards.catalogue import board
from boards.vivado import vivado
from boards.vivado.ipxact import BUSES, SPIRIT
from boards.vivado.xc7_netlist import Xc7Resources, count_cells, logic_depth, resources
from boards.vivado.xilinx import measure, write_part
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.registers import MEANINGS, REGISTER_BITS, Register
from rowforge.configs import preset
from rowforge.reports.measured import measured
from sw_driver.transports import pynq

SMALL = {"array.rows": 1, "array.cols": 1, "buffer.depth": 32, "post.channels": 16}
MEMORY = {"memory.kind": "axi", "memory.words": 1 << 20}
CONFIG = Config.of(
    {**SMALL, "control.row_patterns": 2, "control.col_patterns": 2, "link.width": 16, **MEMORY}
)
SPACE = {"s": SPIRIT}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("part")
    write_part(CONFIG, out, part="xc7z020clg400-1", clock_hz=80e6)
    return out


@pytest.fixture(scope="module")
def component(folder):
    return ElementTree.parse(folder / "ip" / "component.xml").getroot()


def texts(element, path):
    return [found.text for found in element.findall(path, SPACE)]


def verilog_ports(folder):
    """Name: (direction, bits) of the top module's ports, from the Verilog itself."""
    text = (folder / "ip" / "src" / "rowforge.v").read_text()
    body = re.search(r"^module rowforge\(.*?^endmodule", text, re.M | re.S)[0]
    found = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", body, re.M)
    return {name: (way, int(left or 0) + 1) for way, left, name in found}


@pytest.mark.slow
def test_ports_are_those_of_the_verilog(folder, component):
    described = {}
    for port in component.findall("s:model/s:ports/s:port", SPACE):
        (name,) = texts(port, "s:name")
        (way,) = texts(port, "s:wire/s:direction")
        left = texts(port, "s:wire/s:vector/s:left")
        described[name] = ({"in": "input", "out": "output"}[way], int(left[0] if left else 0) + 1)
    assert described == verilog_ports(folder)


def test_every_port_belongs_to_one_interface(folder, component):
    mapped = texts(component, ".//s:portMap/s:physicalPort/s:name")
    assert sorted(mapped) == sorted(verilog_ports(folder))


def test_interfaces_have_the_names_and_sides_of_the_axi(component):
    found = {}
    for interface in component.findall("s:busInterfaces/s:busInterface", SPACE):
        (name,) = texts(interface, "s:name")
        kind = interface.find("s:busType", SPACE).attrib[f"{{{SPIRIT}}}name"]
        side = "master" if interface.find("s:master", SPACE) is not None else "slave"
        found[name] = (kind, side, set(texts(interface, ".//s:logicalPort/s:name")))
    assert found["S_AXIS"] == ("axis", "slave", {"TDATA", "TVALID", "TREADY"})
    assert found["M_AXIS"][:2] == ("axis", "master")
    assert found["M_AXIS"][2] == {"TDATA", "TKEEP", "TLAST", "TVALID", "TREADY"}
    kind, side, signals = found["S_AXI"]
    assert (kind, side) == ("aximm", "slave")
    write = {"AWADDR", "AWPROT", "AWVALID", "AWREADY", "WDATA", "WSTRB", "WVALID", "WREADY"}
    answer = {"BRESP", "BVALID", "BREADY"}
    read = {"ARADDR", "ARPROT", "ARVALID", "ARREADY", "RDATA", "RRESP", "RVALID", "RREADY"}
    assert signals == write | answer | read
    kind, side, signals = found["M_AXI"]
    assert (kind, side) == ("aximm", "master")
    burst = {f"A{way}{name}" for way in "WR" for name in ("LEN", "SIZE", "BURST", "CACHE", "ID")}
    assert signals == write | answer | read | burst | {"WLAST", "RLAST", "BID", "RID"}
    assert found["aclk"] == ("clock", "slave", {"CLK"})
    assert found["aresetn"] == ("reset", "slave", {"RST"})


def test_the_clock_knows_its_buses_and_its_reset(component):
    values = {}
    for interface in component.findall("s:busInterfaces/s:busInterface", SPACE):
        for parameter in interface.findall("s:parameters/s:parameter", SPACE):
            (name,), (value,) = texts(parameter, "s:name"), texts(parameter, "s:value")
            values[name] = value
    assert values == {
        "ASSOCIATED_BUSIF": ":".join(bus.name for bus in BUSES),
        "ASSOCIATED_RESET": "aresetn",
        "FREQ_HZ": "80000000",
        "POLARITY": "ACTIVE_LOW",
    }


def test_every_register_is_in_the_memory_map(component):
    registers = {}
    for element in component.findall(".//s:addressBlock/s:register", SPACE):
        (name,), (address,) = texts(element, "s:name"), texts(element, "s:addressOffset")
        (size,), (access,) = texts(element, "s:size"), texts(element, "s:access")
        assert int(size) == REGISTER_BITS
        registers[name] = (int(address, 16), access)
    assert registers == {
        item.name: (int(item), "read-write" if MEANINGS[item].write else "read-only")
        for item in Register
    }
    (space,) = component.findall("s:addressSpaces/s:addressSpace", SPACE)
    (reference,) = component.findall(".//s:addressSpaceRef", SPACE)
    assert texts(space, "s:name") == list(reference.attrib.values()) == ["M_AXI"]
    assert texts(space, "s:range") == [str(8 << 20)]
    (reference,) = component.findall(".//s:memoryMapRef", SPACE)
    assert texts(component, "s:memoryMaps/s:memoryMap/s:name") == list(reference.attrib.values())


def test_files_exist_and_views_name_them(folder, component):
    files = texts(component, "s:fileSets/s:fileSet/s:file/s:name")
    assert set(files) == {"src/rowforge.v"}
    assert (folder / "ip" / files[0]).exists()
    sets = texts(component, "s:fileSets/s:fileSet/s:name")
    assert texts(component, ".//s:view/s:fileSetRef/s:localName") == sets
    assert set(texts(component, ".//s:view/s:modelName")) == {"rowforge"}


@pytest.mark.slow
def test_a_part_of_another_prefix_shares_no_name(folder, tmp_path):
    """Two parts fit in one block design: names in the catalogue and of all modules differ."""
    write_part(CONFIG, tmp_path, part="xc7z020clg400-1", clock_hz=80e6, prefix="second")
    root = ElementTree.parse(tmp_path / "ip" / "component.xml").getroot()
    assert texts(root, "s:name") == ["second"]
    assert set(texts(root, ".//s:view/s:modelName")) == {"second"}
    assert set(texts(root, "s:fileSets/s:fileSet/s:file/s:name")) == {"src/second.v"}
    assert f"rowforge:user:second:0.1 {pynq.ACCELERATOR}" in (tmp_path / "vivado.tcl").read_text()
    ours, theirs = (
        set(re.findall(r"^module (\w+)", path.read_text(), re.M))
        for path in (folder / "ip/src/rowforge.v", tmp_path / "ip/src/second.v")
    )
    assert len(ours) == len(theirs) and not ours & theirs


def test_the_block_design_has_the_names_of_the_driver(folder):
    script = (folder / "vivado.tcl").read_text()
    assert (vivado.DMA, vivado.ACCELERATOR) == (pynq.DMA, pynq.ACCELERATOR)
    assert f"xilinx.com:ip:axi_dma {pynq.DMA}" in script
    assert f"rowforge:user:rowforge:0.1 {pynq.ACCELERATOR}" in script
    assert f"{{{pynq.DMA}/M_AXIS_MM2S" not in script  # no braces left of the template
    for bus in BUSES:
        assert f"{pynq.ACCELERATOR}/{bus.name}" in script
    assert "PCW_FPGA0_PERIPHERAL_FREQMHZ 80]" in script


def test_brackets_of_the_script_match(folder):
    """Vivado is not here: at least Tcl can read the script."""
    script = re.sub(r"^#.*$", "", (folder / "vivado.tcl").read_text(), flags=re.M)
    for left, right in ("[]", "{}"):
        assert script.count(left) == script.count(right)
    assert script.count('"') % 2 == 0


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RowforgeError, match="output folder must be writable"):
        write_part(CONFIG, tmp_path / "file", part="xc7z020clg400-1", clock_hz=80e6)


# ---- the netlist's figures -------------------------------------------------------------------


def cell(kind, parameters=None, **ports):
    outputs = {"O", "CO", "P", "DOA", "Q"}
    return {
        "type": kind,
        "parameters": parameters or {},
        "port_directions": {port: "output" if port in outputs else "input" for port in ports},
        "connections": {
            port: [bit] if isinstance(bit, int) else bit for port, bit in ports.items()
        },
    }


def test_cells_are_counted_through_the_hierarchy():
    leaf = {"cells": {"a": cell("LUT6"), "b": cell("FDRE"), "c": cell("RAM32M")}}
    box = {"cells": {}, "attributes": {"blackbox": "1"}}
    top = {"cells": {"x": cell("leaf"), "y": cell("leaf"), "d": cell("DSP48E1")}}
    modules = {"leaf": leaf, "top": top, "DSP48E1": box, "LUT6": box}
    counts = count_cells(modules, "top")
    assert counts == {"LUT6": 2, "FDRE": 2, "RAM32M": 2, "DSP48E1": 1}
    assert resources(counts) == Xc7Resources(
        lut=10, lut_paired=10, lut_ram=8, ff=2, dsp=1, block_ram=0
    )
    assert resources({"RAMB36E1": 3, "RAMB18E1": 1}).block_ram == 3.5


def test_small_functions_share_a_place():
    assert resources({"LUT6": 5, "LUT5": 3}).lut_paired == 8
    assert resources({"LUT4": 3, "LUT1": 1, "INV": 1}).lut_paired == 3
    assert resources({"LUT3": 2, "LUT2": 5}).lut_paired == 2 + 2
    assert resources({"LUT1": 3}).lut_paired == 2


def test_depth_is_the_longest_way_between_registers():
    cells = {
        "ff": cell("FDRE", D=5, Q=1),
        "a": cell("LUT2", I0=1, I1=9, O=2),
        "carry": cell("CARRY4", S=[2, "0"], CO=[3, 30]),
        "b": cell("LUT6", I0=3, I1=2, O=4),
        "ram": cell("RAM32M", ADDRA=[4], DIA=[7], DOA=[5]),
        "other": cell("LUT1", I0=5, O=6),
        "end": cell("FDRE", D=6, Q=7),
    }
    depth = logic_depth(cells)
    assert depth.levels == 4
    assert depth.cells == ("LUT2", "CARRY4", "LUT6", "RAM32M", "LUT1")
    assert depth.as_dict()["path"] == ["LUT2", "CARRY4", "LUT6", "RAM32M", "LUT1"]


def test_a_multiplier_with_registers_ends_a_way():
    for register, levels in (("0", 3), ("1", 1)):
        parameters = dict.fromkeys(("AREG", "BREG", "MREG", "PREG"), "0") | {"MREG": register}
        cells = {
            "a": cell("LUT2", I0=1, O=2),
            "m": cell("DSP48E1", parameters, A=[2], P=[3]),
            "b": cell("LUT2", I0=3, O=4),
        }
        assert logic_depth(cells).levels == levels


def test_a_loop_is_named():
    cells = {"a": cell("LUT1", I0=1, O=2), "b": cell("LUT1", I0=2, O=1)}
    with pytest.raises(ValueError, match="combinational loop"):
        logic_depth(cells)


@pytest.mark.slow
def test_two_multiplications_share_one_dsp(tmp_path):
    """One PE of two MACs, synthesised; the reader of the netlist agrees with yosys."""
    from hw.emit.verilog import emit
    from hw.pe.dense import DensePE

    array = emit(DensePE(Config.of({"pe.macs": 2})), "whole_pe_array")
    module = re.search(r"^module whole_pe_array\((.*?)\);.*?^endmodule", array, re.M | re.S)
    ports = module[1].replace("\n", "").split(", ")
    declared = re.findall(r"^  (?:input|output) .*;$", module[0], re.M)
    wires = ", ".join(f".{port}({port})" for port in ports)
    whole = (
        f"module whole({', '.join(ports)});\n{''.join(declared)}\nwhole_pe_array array({wires});"
    )
    (tmp_path / "design.v").write_text(f"{array}\n{whole}\nendmodule\n")
    said = []
    report = measure(tmp_path / "design.v", tmp_path / "work", top="whole", progress=said.append)
    assert report["array"] == report["whole"]
    assert report["whole"]["dsp"] == 1
    assert report["whole"]["ff"] > 100 and report["whole"]["lut"] > 100
    assert report["depth"]["levels"] >= 3
    assert said[-1] == ""


NEWER = {"buffer.filters", "control.access_counters", "link.coding"}
"""Fields that the configuration got after the builds below were measured: their reports say nothing
of them. A build that is measured again knows them, and this set must then be empty."""


def check_configuration(report, config):
    """The report is of this configuration, but for the fields that are newer than it."""
    measured_fields, present = (
        {
            f"{section}.{name}": value
            for section, values in fields.items()
            for name, value in values.items()
        }
        for fields in (report["configuration"], config.as_dict(hardware=True))
    )
    assert set(present) - set(measured_fields) == NEWER
    assert measured_fields == {name: present[name] for name in measured_fields}


def test_the_chips_array_takes_84_dsp_blocks():
    report = measured("pynq-z2-eyeriss_v1_int8_x2")
    check_configuration(report, preset("eyeriss_v1_int8_x2"))
    assert report["array"]["dsp"] <= 84
    assert report["available"]["lut"] == board("pynq-z2").budget.lut


def test_the_boards_own_preset_fits_it():
    report = measured("pynq-z2")
    check_configuration(report, preset(board("pynq-z2").preset))
    assert all(report[name] <= most for name, most in report["available"].items())
