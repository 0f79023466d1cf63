"""The three macros of OpenRAM for SkyWater's sky130, as efabless published them.

Names, depths, widths and sizes are those of the LEF files of sky130_sram_macros at commit ebfbf577.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from hw.asic.macros.macro import Macro, MacroPort, Pin, Signals, zeros
from hw.base.geometry import PortKind


@dataclass(frozen=True, kw_only=True)
class Sky130Macro(Macro):
    """Port 0 reads or writes bytes, port 1 reads; enables are active low.

    The inputs are taken at the rising edge of the clock, the rest happens at the falling edge, and
    from the next rising edge on the output is undefined.
    """

    mask_bits: ClassVar[int] = 8
    holds: ClassVar[bool] = False

    def serves(self, ports: PortKind) -> bool:
        return True

    @property
    def _masks(self) -> int:
        return self.width // self.mask_bits

    def pins(self) -> Sequence[Pin]:
        return (
            *(Pin("clk0", "input"), Pin("csb0", "input"), Pin("web0", "input")),
            Pin("wmask0", "input", self._masks),
            Pin("addr0", "input", self.address_bits),
            *(Pin("din0", "input", self.width), Pin("dout0", "output", self.width)),
            *(Pin("clk1", "input"), Pin("csb1", "input"), Pin("addr1", "input", self.address_bits)),
            Pin("dout1", "output", self.width),
        )

    @property
    def ports(self) -> Sequence[MacroPort]:
        return (
            MacroPort(
                clock="clk0",
                active="!csb0",
                write="!web0",
                read="web0",
                address="addr0",
                output="dout0",
                data="din0",
                mask="wmask0",
            ),
            MacroPort(
                clock="clk1",
                active="!csb1",
                write="0",
                read="1",
                address="addr1",
                output="dout1",
            ),
        )

    @property
    def tied_off(self) -> Sequence[str]:
        return ()

    def connections(self, ports: PortKind, signals: Signals) -> Mapping[str, str]:
        single = ports == "1rw"
        enable = f"({signals.read}) | ({signals.write})" if single else signals.write
        masks = [f"{signals.mask}[{self.mask_bits * i}]" for i in reversed(range(self._masks))]
        return {
            "clk0": "clk",
            "csb0": f"~({enable})",
            "web0": f"~({signals.write})",
            "wmask0": f"{{{', '.join(masks)}}}",
            "addr0": signals.write_address,
            "din0": signals.data,
            "dout0": signals.result if single else signals.unused,
            "clk1": "clk",
            "csb1": "1'b1" if single else f"~({signals.read})",
            "addr1": zeros(self.address_bits) if single else signals.read_address,
            "dout1": signals.unused if single else signals.result,
        }

    def behaviour(self) -> str:
        """Undefined where the macro's output is: what a simulator of two states calls zero."""
        word = f"[{self.width - 1}:0]"
        last = self.address_bits - 1
        lines = [
            f"  reg {word} words [0:{self.depth - 1}];",
            f"  reg {word} read0, read1, taken;",
            f"  reg [{last}:0] place0, place1;",
            f"  reg [{self._masks - 1}:0] masks;",
            "  reg active0, writing0, active1;",
            "  assign dout0 = read0;",
            "  assign dout1 = read1;",
            "  always @(posedge clk0) begin",
            "    active0 <= ~csb0;",
            "    writing0 <= ~web0;",
            "    masks <= wmask0;",
            "    place0 <= addr0;",
            "    taken <= din0;",
            "  end",
            "  always @(posedge clk1) begin",
            "    active1 <= ~csb1;",
            "    place1 <= addr1;",
            "  end",
            "  always @(negedge clk0) begin",
            f"    read0 <= active0 && !writing0 ? words[place0] : {self.width}'bx;",
        ]
        for mask in range(self._masks):
            bits = f"[{8 * mask + 7}:{8 * mask}]"
            lines.append(f"    if (active0 && writing0 && masks[{mask}])")
            lines.append(f"      words[place0]{bits} <= taken{bits};")
        lines += [
            "  end",
            "  always @(negedge clk1)",
            f"    read1 <= active1 ? words[place1] : {self.width}'bx;",
        ]
        return "\n".join(lines) + "\n"


SKY130_MACROS = (
    Sky130Macro(
        name="sky130_sram_1kbyte_1rw1r_8x1024_8", depth=1024, width=8, size=(455.3, 446.46)
    ),
    Sky130Macro(
        name="sky130_sram_1kbyte_1rw1r_32x256_8", depth=256, width=32, size=(479.78, 397.5)
    ),
    Sky130Macro(
        name="sky130_sram_2kbyte_1rw1r_32x512_8", depth=512, width=32, size=(683.1, 416.54)
    ),
)
"""Named bits x words, with masks of bytes."""
