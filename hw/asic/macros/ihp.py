"""Memory macros of IHP's SG13G2: one and two ports, a write mask of single bits.

Names, depths, widths and sizes are those of the LEF files of IHP-Open-PDK at commit 5cccb161.
Macros without a mask are left out, and so are those of 64 words, which are flip-flops here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hw.asic.macros.macro import Macro, MacroPort, Pin, Signals, zeros
from hw.base.geometry import PortKind


@dataclass(frozen=True, kw_only=True)
class IhpMacro(Macro):
    """A macro with port A, and port B if it has two; each reads or writes, on its own clock.

    Attributes
    ----------
    letters : "A" or "AB"
    """

    letters: str

    def serves(self, ports: PortKind) -> bool:
        return len(self.letters) == (1 if ports == "1rw" else 2)

    def pins(self) -> Sequence[Pin]:
        found: list[Pin] = []
        for letter in self.letters:
            for prefix in (f"{letter}_", f"{letter}_BIST_"):
                found += self._port(prefix)
        return found

    def _port(self, prefix: str) -> list[Pin]:
        """The pins of a port, or those of its self-test."""
        tested = prefix.endswith("BIST_")
        pins = [Pin(f"{prefix}CLK", "input")]
        pins += [Pin(f"{prefix}EN", "input")] if tested else []
        pins += [Pin(f"{prefix}{name}", "input") for name in ("MEN", "WEN", "REN")]
        pins.append(Pin(f"{prefix}ADDR", "input", self.address_bits))
        pins.append(Pin(f"{prefix}DIN", "input", self.width))
        if not tested:
            pins += [Pin(f"{prefix}DLY", "input"), Pin(f"{prefix}DOUT", "output", self.width)]
        return [*pins, Pin(f"{prefix}BM", "input", self.width)]

    @property
    def ports(self) -> Sequence[MacroPort]:
        def port(p: str) -> MacroPort:
            return MacroPort(
                clock=f"{p}_CLK",
                active=f"{p}_MEN",
                write=f"{p}_WEN",
                read=f"{p}_REN",
                address=f"{p}_ADDR",
                output=f"{p}_DOUT",
                data=f"{p}_DIN",
                mask=f"{p}_BM",
            )

        return tuple(map(port, self.letters))

    @property
    def tied_off(self) -> Sequence[str]:
        return tuple(f"{letter}_BIST_EN" for letter in self.letters)

    def connections(self, ports: PortKind, signals: Signals) -> Mapping[str, str]:
        if ports == "1rw":
            enable = f"({signals.read}) | ({signals.write})"
            return self._wired("A", enable, signals.write, signals.read, signals)
        off = "1'b0"
        return {
            **self._wired("A", signals.write, signals.write, off, signals, signals.unused),
            **self._wired("B", signals.read, off, signals.read, signals),
        }

    def _wired(
        self,
        letter: str,
        enable: str,
        write: str,
        read: str,
        signals: Signals,
        output: str | None = None,
    ) -> dict[str, str]:
        """One port; one that never writes gets zeros for data."""
        writes = write != "1'b0"
        idle = {pin.name: zeros(pin.width) for pin in self._port(f"{letter}_BIST_")}
        return {
            f"{letter}_CLK": "clk",
            f"{letter}_MEN": enable,
            f"{letter}_WEN": write,
            f"{letter}_REN": read,
            f"{letter}_ADDR": signals.write_address if writes else signals.read_address,
            f"{letter}_DIN": signals.data if writes else zeros(self.width),
            f"{letter}_DLY": "1'b1",  # the delay that the vendor characterised
            f"{letter}_DOUT": signals.result if output is None else output,
            f"{letter}_BM": signals.mask if writes else zeros(self.width),
            **idle,
        }

    def behaviour(self) -> str:
        lines = [f"  reg [{self.width - 1}:0] words [0:{self.depth - 1}];"]
        for letter in self.letters:
            lines.append(f"  reg [{self.width - 1}:0] {letter}_read;")
            lines.append(f"  assign {letter}_DOUT = {letter}_read;")
        lines += self._accesses("A", writes=True)
        if "B" in self.letters:
            lines += self._accesses("B", writes=False)
        return "\n".join(lines) + "\n"

    def _accesses(self, letter: str, *, writes: bool) -> list[str]:
        """What an edge does; port B of our memories never writes, and a self-test never runs."""
        p = f"{letter}_"
        lines = [f"  always @(posedge {p}CLK) begin"]
        if writes:
            lines += [
                f"    if ({p}MEN && {p}WEN)",
                f"      words[{p}ADDR] <= (words[{p}ADDR] & ~{p}BM) | ({p}DIN & {p}BM);",
            ]
        lines += [
            f"    if ({p}MEN && {p}REN)",
            f"      {p}read <= words[{p}ADDR];",
        ]
        refused = f"{p}BIST_EN || ({p}MEN && {p}REN && {p}WEN)"
        if not writes:
            refused += f" || ({p}MEN && {p}WEN)"
        return [
            *lines,
            f"    if ({refused}) begin",
            f'      $display("%m: this use of port {letter} is not modelled");',
            "      $finish;",
            "    end",
            "  end",
        ]


def _macro(letters: str, depth: int, width: int, code: str, x: float, y: float) -> IhpMacro:
    name = f"RM_IHPSG13_{len(letters)}P_{depth}x{width}_{code}_bm_bist"
    return IhpMacro(name=name, depth=depth, width=width, size=(x, y), letters=letters)


IHP_MACROS = (
    _macro("A", 256, 8, "c3", 236.8, 74.1),
    _macro("A", 256, 16, "c2", 236.8, 118.78),
    _macro("A", 256, 32, "c2", 416.64, 118.78),
    _macro("A", 256, 48, "c2", 596.48, 118.78),
    _macro("A", 256, 64, "c2", 784.48, 118.78),
    _macro("A", 512, 8, "c3", 236.8, 110.38),
    _macro("A", 512, 16, "c2", 236.8, 191.34),
    _macro("A", 512, 32, "c2", 416.64, 191.34),
    _macro("A", 512, 64, "c2", 784.48, 191.34),
    _macro("A", 1024, 8, "c2", 146.88, 336.46),
    _macro("A", 1024, 16, "c2", 236.8, 336.46),
    _macro("A", 1024, 32, "c2", 416.64, 336.46),
    _macro("A", 1024, 64, "c2", 784.48, 336.46),
    _macro("A", 2048, 64, "c2", 784.48, 626.7),
    _macro("A", 4096, 8, "c3", 236.8, 618.3),
    _macro("A", 4096, 16, "c3", 416.64, 618.3),
    _macro("AB", 256, 8, "c2", 278.51, 136.97),
    _macro("AB", 256, 16, "c2", 419.95, 136.97),
    _macro("AB", 256, 32, "c2", 702.83, 136.97),
    _macro("AB", 512, 8, "c2", 261.17, 219.77),
    _macro("AB", 512, 16, "c2", 402.61, 219.77),
    _macro("AB", 512, 32, "c2", 685.49, 219.77),
    _macro("AB", 1024, 16, "c2", 402.61, 385.37),
    _macro("AB", 1024, 32, "c2", 685.49, 385.37),
)
"""Of one port and of two, with a mask of bits."""
