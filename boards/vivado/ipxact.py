"""The IP-XACT description by which Vivado knows the AXI wrapper as a part for block designs.

IEEE 1685-2009 as Vivado packs it: bus interfaces, clock and reset with what belongs to them,
the registers, two file sets. All of it follows from the wrapper's signature and
`hw.arch.registers`; nothing is written down twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from hw.arch.config import LINK_WORD_BITS
from hw.arch.registers import ADDRESS_BITS, MEANINGS, REGISTER_BITS, Register

SPIRIT = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
XILINX = "http://www.xilinx.com"

VENDOR, LIBRARY = "rowforge", "user"
CLOCK, RESET = "aclk", "aresetn"
MEMORY_MAP = "S_AXI"
RANGE = 4096  # bytes of the address space that a block design gives away: the least it can
FAMILIES = ("zynq", "artix7", "kintex7", "virtex7", "zynquplus")

_MEMORY_BUS, _MEMORY_ADDRESS = "M_AXI", "m_axi_araddr"
_SYNTHESIS = "xilinx_anylanguagesynthesis"
_SIMULATION = "xilinx_anylanguagebehavioralsimulation"


@dataclass(frozen=True)
class Port:
    """A port of the module: its bits, and whether it is an input."""

    bits: int
    is_input: bool


@dataclass(frozen=True)
class Bus:
    """A bus interface: its name in a block design, the prefix of its ports, its type, its side."""

    name: str
    prefix: str
    kind: str
    master: bool


BUSES = (
    Bus("S_AXIS", "s_axis_", "axis", master=False),
    Bus("M_AXIS", "m_axis_", "axis", master=True),
    Bus(MEMORY_MAP, "s_axi_", "aximm", master=False),
    Bus(_MEMORY_BUS, "m_axi_", "aximm", master=True),
)


def component_xml(
    name: str, version: str, ports: Mapping[str, Port], sources: Iterable[str], clock_hz: float
) -> str:
    """The text of `component.xml`.

    Parameters
    ----------
    name, version : str
        Name of the module and of the part; version of two or more numbers, of which Vivado keeps
        two.
    ports : mapping
        All ports of the module by name, in their order.
    sources : iterable of str
        Verilog files by their paths from the file's own folder.
    clock_hz : float
        Frequency that the part is made for.
    """
    ElementTree.register_namespace("spirit", SPIRIT)
    ElementTree.register_namespace("xilinx", XILINX)
    root = ElementTree.Element(_spirit("component"))
    short = ".".join(version.split(".")[:2])
    for tag, text in (("vendor", VENDOR), ("library", LIBRARY), ("name", name), ("version", short)):
        _text(root, tag, text)
    interfaces = _child(root, "busInterfaces")
    present = [bus for bus in BUSES if any(port.startswith(bus.prefix) for port in ports)]
    for bus in present:
        _bus(interfaces, bus, ports)
    _signal(interfaces, RESET, "reset", "RST", {"POLARITY": "ACTIVE_LOW"})
    buses = ":".join(bus.name for bus in present)
    _signal(
        interfaces,
        CLOCK,
        "clock",
        "CLK",
        {"ASSOCIATED_BUSIF": buses, "ASSOCIATED_RESET": RESET, "FREQ_HZ": str(round(clock_hz))},
    )
    _address_space(root, ports)
    _memory_map(root)
    _model(root, name, ports)
    _file_sets(root, list(sources))
    _text(root, "description", f"{name}: an Eyeriss-style accelerator between AXI ports")
    _parameters(root, {"Component_Name": f"{name}_v{short.replace('.', '_')}"})
    _extensions(root, name)
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _spirit(tag: str) -> str:
    return f"{{{SPIRIT}}}{tag}"


def _child(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    named = {_spirit(key): value for key, value in attributes.items()}
    return ElementTree.SubElement(parent, _spirit(tag), named)


def _text(parent: ElementTree.Element, tag: str, text: str, **attributes: str) -> None:
    _child(parent, tag, **attributes).text = text


# ---- bus interfaces --------------------------------------------------------------------------


def _types(parent: ElementTree.Element, library: str, kind: str) -> None:
    for tag, name in (("busType", kind), ("abstractionType", f"{kind}_rtl")):
        _child(parent, tag, vendor="xilinx.com", library=library, name=name, version="1.0")


def _bus(parent: ElementTree.Element, bus: Bus, ports: Mapping[str, Port]) -> None:
    interface = _child(parent, "busInterface")
    _text(interface, "name", bus.name)
    _types(interface, "interface", bus.kind)
    side = _child(interface, "master" if bus.master else "slave")
    if bus.kind == "aximm" and bus.master:
        _child(side, "addressSpaceRef", addressSpaceRef=bus.name)
    elif bus.kind == "aximm":
        _child(side, "memoryMapRef", memoryMapRef=MEMORY_MAP)
    maps = _child(interface, "portMaps")
    for port in ports:
        if port.startswith(bus.prefix):
            _port_map(maps, port.removeprefix(bus.prefix).upper(), port)


def _signal(
    parent: ElementTree.Element, port: str, kind: str, logical: str, parameters: Mapping[str, str]
) -> None:
    """Clock or reset as a bus interface of one signal."""
    interface = _child(parent, "busInterface")
    _text(interface, "name", port)
    _types(interface, "signal", kind)
    _child(interface, "slave")
    _port_map(_child(interface, "portMaps"), logical, port)
    _parameters(interface, parameters, prefix=f"BUSIFPARAM_VALUE.{port.upper()}.")


def _port_map(parent: ElementTree.Element, logical: str, physical: str) -> None:
    port_map = _child(parent, "portMap")
    _text(_child(port_map, "logicalPort"), "name", logical)
    _text(_child(port_map, "physicalPort"), "name", physical)


def _parameters(
    parent: ElementTree.Element, values: Mapping[str, str], prefix: str = "PARAM_VALUE."
) -> None:
    parameters = _child(parent, "parameters")
    for name, value in values.items():
        parameter = _child(parameters, "parameter")
        _text(parameter, "name", name)
        _text(parameter, "value", value, id=f"{prefix}{name}")


# ---- registers -------------------------------------------------------------------------------


def _address_space(root: ElementTree.Element, ports: Mapping[str, Port]) -> None:
    """What the accelerator's own master reaches, if it has one."""
    if _MEMORY_ADDRESS not in ports:
        return
    space = _child(_child(root, "addressSpaces"), "addressSpace")
    _text(space, "name", _MEMORY_BUS)
    _text(space, "range", str(1 << ports[_MEMORY_ADDRESS].bits), format="long")
    _text(space, "width", str(LINK_WORD_BITS), format="long")


def _memory_map(root: ElementTree.Element) -> None:
    memory_map = _child(_child(root, "memoryMaps"), "memoryMap")
    _text(memory_map, "name", MEMORY_MAP)
    block = _child(memory_map, "addressBlock")
    _text(block, "name", "registers")
    _text(block, "baseAddress", "0", format="long")
    _text(block, "range", str(max(RANGE, 1 << ADDRESS_BITS)), format="long")
    _text(block, "width", str(REGISTER_BITS), format="long")
    _text(block, "usage", "register")
    for register in Register:
        meaning = MEANINGS[register]
        element = _child(block, "register")
        _text(element, "name", register.name)
        written = f"; written: {meaning.write}" if meaning.write else ""
        _text(element, "description", f"{meaning.read}{written}")
        _text(element, "addressOffset", f"{int(register):#04x}")
        _text(element, "size", str(REGISTER_BITS), format="long")
        _text(element, "access", "read-write" if meaning.write else "read-only")


# ---- model and files -------------------------------------------------------------------------


def _model(root: ElementTree.Element, name: str, ports: Mapping[str, Port]) -> None:
    model = _child(root, "model")
    views = _child(model, "views")
    for view, purpose in ((_SYNTHESIS, "synthesis"), (_SIMULATION, "simulation")):
        element = _child(views, "view")
        _text(element, "name", view)
        _text(element, "envIdentifier", f"verilogSource:vivado.xilinx.com:{purpose}")
        _text(element, "language", "verilog")
        _text(element, "modelName", name)
        _text(_child(element, "fileSetRef"), "localName", f"{view}_view_fileset")
    listed = _child(model, "ports")
    for port, shape in ports.items():
        element = _child(listed, "port")
        _text(element, "name", port)
        wire = _child(element, "wire")
        _text(wire, "direction", "in" if shape.is_input else "out")
        if shape.bits > 1:
            vector = _child(wire, "vector")
            _text(vector, "left", str(shape.bits - 1), format="long")
            _text(vector, "right", "0", format="long")
        definition = _child(_child(wire, "wireTypeDefs"), "wireTypeDef")
        _text(definition, "typeName", "wire")
        for view in (_SYNTHESIS, _SIMULATION):
            _text(definition, "viewNameRef", view)


def _file_sets(root: ElementTree.Element, sources: list[str]) -> None:
    sets = _child(root, "fileSets")
    for view in (_SYNTHESIS, _SIMULATION):
        file_set = _child(sets, "fileSet")
        _text(file_set, "name", f"{view}_view_fileset")
        for source in sources:
            file = _child(file_set, "file")
            _text(file, "name", source)
            _text(file, "fileType", "verilogSource")


def _extensions(root: ElementTree.Element, name: str) -> None:
    core = ElementTree.SubElement(_child(root, "vendorExtensions"), f"{{{XILINX}}}coreExtensions")
    families = ElementTree.SubElement(core, f"{{{XILINX}}}supportedFamilies")
    for family in FAMILIES:
        element = ElementTree.SubElement(
            families, f"{{{XILINX}}}family", {f"{{{XILINX}}}lifeCycle": "Production"}
        )
        element.text = family
    taxonomies = ElementTree.SubElement(core, f"{{{XILINX}}}taxonomies")
    ElementTree.SubElement(taxonomies, f"{{{XILINX}}}taxonomy").text = "/UserIP"
    ElementTree.SubElement(core, f"{{{XILINX}}}displayName").text = name
    ElementTree.SubElement(core, f"{{{XILINX}}}coreRevision").text = "1"
