"""Drives one primitive in Icarus Verilog: a word of stimulus in, a word of outputs back."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

Ports = Mapping[str, int]  # bus name and width; bus X of width 4 is the pins X3 … X0


class RefusedError(AssertionError):
    """The model does not elaborate, or ends the simulation."""


def drive(
    folder: Path,
    model: str,
    module: str,
    *,
    inputs: Ports,
    outputs: Ports,
    stimulus: Sequence[Mapping[str, int]],
    parameters: str = "",
    clocks: Sequence[str] = (),
) -> list[dict[str, int]]:
    """Outputs after each item of stimulus (and, with clocks, the rising edge that follows it).

    Pins that are not named stay unconnected.
    """
    (folder / "model.v").write_text(model)
    (folder / "stimulus.hex").write_text(
        "\n".join(f"{_pack(item, inputs):x}" for item in stimulus) + "\n"
    )
    (folder / "bench.v").write_text(
        _bench(module, inputs, outputs, len(stimulus), parameters, clocks)
    )
    build = ["iverilog", "-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", "model.v"]
    for command in (build, ["vvp", "-n", "bench.vvp"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RefusedError(done.stdout[-500:] + done.stderr[-500:])
    return [_unpack(int(line, 16), outputs) for line in done.stdout.split()]


def _pack(item: Mapping[str, int], ports: Ports) -> int:
    word = 0
    for name, width in ports.items():
        assert 0 <= item[name] < 1 << width
        word = word << width | item[name]
    return word


def _unpack(word: int, ports: Ports) -> dict[str, int]:
    values = {}
    for name, width in reversed(ports.items()):
        values[name] = word & (1 << width) - 1
        word >>= width
    return values


def _bench(
    module: str, inputs: Ports, outputs: Ports, count: int, parameters: str, clocks: Sequence[str]
) -> str:
    pins = [f".{clock}(clk)" for clock in clocks]
    for name, width in (*inputs.items(), *outputs.items()):
        if width == 1:
            pins.append(f".{name}({name}_bus[0])")
        else:
            pins += [f".{name}{bit}({name}_bus[{bit}])" for bit in range(width)]
    wide, out = sum(inputs.values()), sum(outputs.values())
    return "\n".join(
        [
            "module bench;",
            f"  reg [{wide - 1}:0] stimulus [0:{count - 1}];",
            "  reg clk = 0;",
            "  integer n;",
            *(f"  reg [{width - 1}:0] {name}_bus;" for name, width in inputs.items()),
            *(f"  wire [{width - 1}:0] {name}_bus;" for name, width in outputs.items()),
            f"  wire [{out - 1}:0] result = {{{', '.join(f'{name}_bus' for name in outputs)}}};",
            f"  {module} {parameters} dut ({', '.join(pins)});",
            "  initial begin",
            '    $readmemh("stimulus.hex", stimulus);',
            f"    for (n = 0; n < {count}; n = n + 1) begin",
            f"      {{{', '.join(f'{name}_bus' for name in inputs)}}} = stimulus[n];",
            "      #1 clk = 1;",
            '      #1 $display("%h", result);',
            "      clk = 0;",
            "      #1;",
            "    end",
            "  end",
            "endmodule",
            "",
        ]
    )
