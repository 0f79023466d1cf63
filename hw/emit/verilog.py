"""Verilog of a design, one module for each distinct block.

`VerilogPlatform` elaborates and converts each distinct `hw.base.block.Block` once, `emit` runs
Amaranth's own yosys over all of them and returns plain Verilog-2005. The top module is called as
the caller wishes, and every other module `TOP_name`, so that designs share a namespace with others.

What `verilator --lint-only -Wall` says of the text, given the shipped `TOP.vlt`:

- the emitter itself causes DECLFILENAME (many modules in a file), PROCASSINIT (registers with
  initial values), CASEINCOMPLETE (an `m.Switch` without `m.Default` keeps the value assigned before
  it), WIDTHEXPAND (operands of unlike width), UNUSEDSIGNAL (carries that nobody reads, `rst` of
  a block without state) and TIMESCALEMOD (files beside it have time scales, which a design without
  delays does not need): these six are waived and no others;
- `hw.base.rtlil_text` mends what else Amaranth would cause: WIDTHTRUNC (variable slices; comparison
  with a zero of no bits), UNSIGNED and CMPCONST (bounds that parameters make trivial), UNDRIVEN
  (signals of no bits). yosys' `proc` is left out: it moves the constant part of a signal into an
  `always @*` that reads nothing and so never runs (ALWNEVER);
- the author of gateware causes, and must avoid: UNOPTFLAT (a signal whose bits feed other bits of
  itself combinationally, such as a priority chain kept in one `Signal`: use one signal a bit, or an
  expression); a signature member named `clk` or `rst` (refused with an error); a `Memory` with both
  a write port and initial contents (refused with an error).

Time goes to Amaranth's search for combinational loops, which visits every pair of an input and an
output bit of an array indexed by a signal. Index a wide array once, not in a loop, or choose
between two elements by `Mux`, whose bits are independent: at 12 x 14 PEs that is seconds against
minutes.
"""

import gc
import re
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from amaranth.back import rtlil
from amaranth.back.verilog import find_yosys
from amaranth.hdl import (
    ClockDomain,
    Const,
    EnableInserter,
    Instance,
    ResetInserter,
    ResetSignal,
    Signal,
)
from amaranth.hdl._ast import Switch  # this and the next are not exported; Amaranth is pinned
from amaranth.hdl._ir import PortDirection
from amaranth.lib.wiring import In

from hw.arch.errors import RowforgeError
from hw.arch.files import write_files
from hw.base.block import (
    Block,
    MemoryStyle,
    ModulePlatform,
    ResetReplacer,
    clock_port,
    reset_port,
    signature_ports,
)
from hw.base.geometry import MemoryGeometry
from hw.base.rtlil_text import Names, is_plain, rewrite
from hw.emit import companions
from hw.emit.folder import companion_files
from hw.emit.foreign import with_own_names
from hw.emit.kit import Design, Kit, KitMaker
from hw.emit.prefix import check_prefix

YOSYS_VERSION = (0, 40)  # Amaranth's own requirement

# The register by which yosys makes simulators run every combinational process once at the start.
_TRIGGER = re.compile(r"\\\$auto\$verilog_backend\.cc:\d+:dump_module\$\d+ ")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How Verilog is written.

    Attributes
    ----------
    reset_all : bool
        Reset every register, also those that gateware leaves without a reset, and give none an
        initial value: for ASIC. (The output register of a memory is part of the memory.)
    memories : "infer", "blackbox" or "macros"
        Memories as arrays of registers that tools infer, as the macros of `TOP_rams.v`, or, if
        they are deep, as modules that a `Kit` defines.
    """

    reset_all: bool = False
    memories: MemoryStyle = "infer"

    def __post_init__(self) -> None:
        if self.memories not in get_args(MemoryStyle):
            styles = " or ".join(f'"{style}"' for style in get_args(MemoryStyle))
            raise RowforgeError(f"memories must be {styles}, not {self.memories!r}")


class VerilogPlatform(ModulePlatform):
    """Collects the modules of a design, each distinct block once.

    All module names begin with `prefix` and an underscore. Modules of one wished-for name that
    differ get the suffixes `_1`, `_2`, … in the order in which elaboration meets them; blocks whose
    keys differ but whose hardware is the same share a module.
    """

    def __init__(self, prefix: str, options: Options = Options()) -> None:
        self._prefix = prefix
        self.options = options
        self.memories = options.memories
        self._names = Names()
        self._by_key: dict[Hashable, str] = {}
        self._by_text: dict[tuple[str, str], str] = {}
        self._modules: list[str] = []
        self.foreign: dict[str, str] = {}
        self.geometries: set[MemoryGeometry] = set()
        self.makers: dict[str, str] = {}  # classes of blocks, by the name of the module

    def macro(self, geometry: MemoryGeometry) -> str:
        self.geometries.add(geometry)
        return super().macro(geometry)

    def prefixed(self, name: str) -> str:
        return f"{self._prefix}_{name}"

    def add_file(self, name: str, text: str) -> None:
        self.foreign[self.prefixed(name)] = with_own_names(text, self._prefix)

    @property
    def rtlil(self) -> str:
        """RTLIL of all modules registered so far, children before parents."""
        return "".join(self._modules)

    def register(self, block: Block) -> str:
        key = block.module_key
        if key not in self._by_key:
            self._by_key[key] = self.convert(block, self.prefixed(block.module_name))
        return self._by_key[key]

    def convert(self, block: Block, name: str) -> str:
        """Add a module for `block` unless the same one is there; returns its name."""
        ports = self._ports(block)
        text = self._to_rtlil(block, name, ports)
        if (name, text) in self._by_text:
            return self._by_text[name, text]
        final = self._names.take(name)

        def name_module(module: str) -> str:
            return final if module == name else self._names.take(final + module[len(name) :])

        keep_init = not self.options.reset_all
        self._modules.append(rewrite(text, list(ports), name_module, keep_init=keep_init))
        self._by_text[name, text] = final
        self.makers[final] = f"{type(block).__module__}.{type(block).__qualname__}"
        return final

    def _ports(self, block: Block) -> dict:
        """Ports of a block's module: clocks and resets first, then the signature's in its order."""
        ports: dict = {}
        for domain in block.clock_domains:
            ports[clock_port(domain)] = ports[reset_port(domain)] = None
        for name, signal, flow in signature_ports(block):
            if name in ports or not is_plain(name):
                raise RowforgeError(
                    f"port of {type(block).__name__} must have a free Verilog name, not {name!r}"
                )
            signal.name = name  # an earlier emission may have called it as a wire of a parent
            direction = PortDirection.Input if flow is In else PortDirection.Output
            ports[name] = (signal, direction)
        return ports

    def _to_rtlil(self, block: Block, name: str, ports: dict) -> str:
        """Elaborate a block and convert it; fills the clocks and resets into `ports`."""
        fragment = self.contents(block)
        self._name_wires(fragment)
        self._pass_controls_on(fragment, {})
        if self.options.reset_all:
            controls = {domain: ResetSignal(domain) for domain in block.clock_domains}
            fragment = _ResetTheRest(controls)(fragment)
        for domain_name in block.clock_domains:
            domain = ClockDomain(domain_name)
            fragment.add_domains(domain)
            ports[clock_port(domain_name)] = (domain.clk, PortDirection.Input)
            ports[reset_port(domain_name)] = (domain.rst, PortDirection.Input)
        text, _ = rtlil.convert_fragment(
            fragment, ports, name, emit_src=False, missing_domain=lambda _: None
        )
        return str(text)

    def _name_wires(self, fragment: Any) -> None:
        """Call the wires of each instance after the instance and its port."""
        for child, name, _ in fragment.subfragments:
            if self._is_instance(child):
                for port, (value, _) in child.ports.items():
                    if isinstance(value, Signal):
                        value.name = f"{name}__{port}"
            else:
                self._name_wires(child)

    def _pass_controls_on(self, fragment: Any, resets: dict[str, tuple[bool, Any]]) -> None:
        """Let each `ResetInserter` reach the instances below it.

        Amaranth lets it act on registers, and those of an instance are in a module of their own.
        """
        resets = self._with_own(fragment, resets)
        for child, _, _ in fragment.subfragments:
            if not self._is_instance(child):
                self._pass_controls_on(child, resets)
                continue
            own = self._with_own(child, resets)
            for port, (value, kind) in child.ports.items():
                if isinstance(value, ResetSignal) and value.domain in own:
                    alone, control = own[value.domain]
                    child.ports[port] = (control if alone else value | control, kind)

    def _with_own(self, fragment: Any, resets: dict[str, tuple[bool, Any]]) -> dict:
        """The resets with those of the inserters around this very fragment."""
        for origin in fragment.origins or ():
            for transform in getattr(origin, "_transforms_", ()):
                if isinstance(transform, ResetInserter):
                    replaces = isinstance(transform, ResetReplacer)
                    for domain, value in transform.controls.items():
                        alone, outer = resets.get(domain, (False, 0))
                        changed = (True, value) if replaces else (alone, outer | value)
                        resets = {**resets, domain: changed}
                elif isinstance(transform, EnableInserter) and self._has_instances(fragment):
                    raise TypeError("a block that is a module of its own has no enable")
        return resets

    def _is_instance(self, fragment: Any) -> bool:
        return isinstance(fragment, Instance) and fragment.type in self._by_text.values()

    def _has_instances(self, fragment: Any) -> bool:
        children = [child for child, _, _ in fragment.subfragments]
        return self._is_instance(fragment) or any(map(self._has_instances, children))


class _ResetTheRest(ResetInserter):
    """Gives a reset to the registers that are declared without one."""

    def _insert_control(self, fragment: Any, domain: str, lhs_masks: Any) -> None:
        resets = []
        for signal, start, stop in lhs_masks.chunks():
            if signal.reset_less:
                init = Const(signal.init, signal.shape())
                resets.append(signal[start:stop].eq(init[start:stop]))
        fragment.add_statements(domain, Switch(self.controls[domain], [(1, resets, None)]))


def emit(top: Block, name: str, options: Options = Options()) -> str:
    """Verilog-2005 of a design, in one text, with what it takes from others.

    Parameters
    ----------
    top : Block
        The top component. Its module has the ports `clk`, `rst` and those of the signature.
    name : str
        Name of the top module, and with an underscore the prefix of all others.

    Raises
    ------
    RowforgeError
        For a name that `check_prefix` refuses or that a signal of the top module has, or a memory
        that is written and has contents.
    """
    text, platform = _emit(top, name, options)
    return "\n".join([text, *platform.foreign.values()])


def emit_with_makers(top: Block, name: str) -> tuple[str, dict[str, str]]:
    """As `emit`, and by the names of modules the classes that wrote them, as module.Class."""
    text, platform = _emit(top, name, Options())
    return "\n".join([text, *platform.foreign.values()]), platform.makers


def _emit(top: Block, name: str, options: Options) -> tuple[str, VerilogPlatform]:
    """The design's own Verilog, and the platform, which knows what it takes from others."""
    check_prefix(name)
    platform = VerilogPlatform(name, options)
    with _no_garbage_collection():
        platform.convert(top, name)
    text = _to_verilog(platform.rtlil)
    # Verilator calls the top instance as its module, beside which a signal of that name is hidden.
    (module,) = re.findall(rf"^module {name}\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
    if re.search(rf"^  (?:input|output|wire|reg) (?:\[.*?\] )?{name}\b", module, re.MULTILINE):
        raise RowforgeError(f"prefix must not be a signal of the top module, as {name!r} is")
    return text, platform


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Leave Amaranth's nets alone while they are made: nearly all live until the end.

    Looking through them again and again takes a quarter of the time of a small array and half of
    that of 12 x 14 PEs, for which the memory in use grows from 165 to 460 MB.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _to_verilog(rtlil_text: str) -> str:
    yosys = find_yosys(lambda version: version >= YOSYS_VERSION)
    script = [
        f"read_rtlil <<rtlil\n{rtlil_text}\nrtlil",
        "memory_collect",
        "write_verilog",
    ]
    # yosys warns of processes that it might not translate; Amaranth emits only those it can
    text = str(yosys.run(["-q", "-"], "\n".join(script), ignore_warnings=True))
    # A declared initial value is no event in SystemVerilog (`iverilog -g2012`); an assignment is.
    return _TRIGGER.sub("at_start", text).replace(
        "  reg at_start = 0;\n", "  reg at_start;\n  initial at_start = 0;\n"
    )


def generate(
    top: Block,
    out_dir: str | Path,
    *,
    name: str,
    version: str,
    options: Options = Options(),
    period_ns: float = 10.0,
    documents: Mapping[str, str] | None = None,
    make_kit: KitMaker | None = None,
) -> list[Path]:
    """Write a design and its companions into a folder; the same input gives the same bytes.

    Nothing is written unless everything could be rendered, and each file appears whole. Other files
    in the folder are left alone.

    Parameters
    ----------
    top : Block
        The top component, with a single clock domain `sync`.
    out_dir : path
        The folder, made if absent.
    name, version : str
        Name of the top module and prefix of all others and of the files; version of the core.
    options : Options
        How Verilog is written.
    period_ns : float
        Clock period for the timing constraints.
    documents : mapping
        Texts rendered elsewhere (register map, configuration) by file name.
    make_kit : callable
        Makes the files of an ASIC process, whose macros replace memories of style "macros".

    Returns
    -------
    list of Path
        What was written, sorted by name.

    Raises
    ------
    RowforgeError
        As `emit`, and for a folder that cannot be written.
    """
    text, platform = _emit(top, name, options)
    ports = [(port, len(signal), flow) for port, signal, flow in signature_ports(top)]
    design = Design(
        name=name,
        verilog=text,
        geometries=sorted(platform.geometries),
        foreign=[*platform.foreign],
        inputs=[(reset_port("sync"), 1), *((p, width) for p, width, flow in ports if flow is In)],
        outputs=[(port, width) for port, width, flow in ports if flow is not In],
        period_ns=period_ns,
    )
    if make_kit is not None:
        kit = make_kit(design)
    else:
        rams = {f"{name}_rams.v": companions.ram_models(name)}
        kit = Kit(models=rams if options.memories == "blackbox" else {})
    files = {f"{name}.v": text, **platform.foreign, **companion_files(design, kit, version)}
    for document, text in (documents or {}).items():
        if document in files or Path(document).name != document:
            raise RowforgeError(f"document must have a file name of its own, not {document!r}")
        files[document] = text
    return write_files(Path(out_dir), files)
