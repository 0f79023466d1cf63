"""Memories composed of macros beside the memory that they stand for, on models of the macros."""

import random
import shutil
import subprocess

import pytest

from hw.arch.errors import RowforgeError
from hw.asic.macros.composition import compose
from hw.asic.macros.exact import exact_model
from hw.asic.macros.wrapper import wrapper
from hw.asic.process import IHP_SG13G2, SKY130
from hw.base.geometry import MemoryGeometry

GEOMETRIES = (
    MemoryGeometry("1rw", 256, 64, 8),
    MemoryGeometry("1rw", 300, 24, 12),  # lanes that masks of bytes cannot tell apart
    MemoryGeometry("1rw", 3000, 70, 70),  # rows of macros
    MemoryGeometry("1r1w", 100, 103, 103),
    MemoryGeometry("1r1w", 65, 44, 11),
    MemoryGeometry("1r1w", 2500, 40, 8),
)
PROCESSES = (IHP_SG13G2, SKY130)


def bench(geometry, stimulus):
    """A memory and its reference under one stimulus; a line for each difference."""
    lanes, word = geometry.lanes, geometry.width
    if geometry.ports == "1rw":
        fields = {"en": 1, "we": lanes, "addr": geometry.address_bits, "wdata": word}
        output = "rdata"
    else:
        address = geometry.address_bits
        fields = {
            "wr_en": lanes,
            "wr_addr": address,
            "wr_data": word,
            "rd_en": 1,
            "rd_addr": address,
        }
        output = "rd_data"
    total = sum(fields.values())
    words = []
    for item in stimulus:
        value = 0
        for name, width in fields.items():
            value = value << width | item[name]
        words.append(f"{value:x}")
    pins = ", ".join(f".{name}({name})" for name in fields)
    text = "\n".join(
        [
            "module bench;",
            f"  reg [{total - 1}:0] stimulus [0:{len(words) - 1}];",
            "  reg clk = 0;",
            "  integer n;",
            *(f"  reg [{width - 1}:0] {name};" for name, width in fields.items()),
            f"  wire [{word - 1}:0] got, wanted;",
            f"  dut dut (.clk(clk), {pins}, .{output}(got));",
            f"  reference reference (.clk(clk), {pins}, .{output}(wanted));",
            "  initial begin",
            '    $readmemh("stimulus.hex", stimulus);',
            f"    for (n = 0; n < {len(words)}; n = n + 1) begin",
            f"      {{{', '.join(fields)}}} = stimulus[n];",
            "      #4 clk = 1;",
            "      #4 clk = 0;",
            '      #1 if (got !== wanted) $display("%0d: %h, not %h", n, got, wanted);',
            "    end",
            "  end",
            "endmodule",
        ]
    )
    return text, words


def accesses(geometry, rng, count=400):
    """Each of a few words at both ends of every 256 is written as a whole; then anything."""
    places = [p for base in range(0, geometry.depth, 256) for p in (base, base + 1, base + 255)]
    places = [place for place in places if place < geometry.depth] + [geometry.depth - 1]
    full, single = (1 << geometry.lanes) - 1, geometry.ports == "1rw"
    for step in range(len(places) + count):
        first = step < len(places)
        place = places[step] if first else rng.choice(places)
        lanes = full if first else rng.choice([0, full, rng.randrange(full + 1)])
        data = rng.getrandbits(geometry.width)
        if single:
            active = first or rng.random() < 0.8
            yield {"en": active, "we": lanes, "addr": place, "wdata": data}
        else:
            other = rng.choice([p for p in places if p != place])
            reads = not first and rng.random() < 0.6
            yield {
                "wr_en": lanes,
                "wr_addr": place,
                "wr_data": data,
                "rd_en": reads,
                "rd_addr": other,
            }


def differences(folder, geometry, process, spoil=lambda text: text):
    """What the composed memory answers otherwise than the memory."""
    composition = compose(geometry, process.macros, process.name)
    stimulus = list(accesses(geometry, random.Random(geometry.name)))
    text, words = bench(geometry, stimulus)
    (folder / "stimulus.hex").write_text("\n".join(words) + "\n")
    parts = [
        text,
        spoil(wrapper(composition, "dut")),
        composition.macro.model(),
        exact_model(geometry, "reference"),
    ]
    (folder / "bench.v").write_text("\n".join(parts))
    build = ["iverilog", "-g2005", "-s", "bench", "-o", "bench.vvp", "bench.v"]
    output = []
    for command in (build, ["vvp", "-n", "bench.vvp"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        output = done.stdout.splitlines()
    return output


@pytest.fixture(autouse=True)
def _icarus():
    if shutil.which("iverilog") is None:
        pytest.skip("no iverilog")


@pytest.mark.parametrize("process", PROCESSES, ids=lambda p: p.name)
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda g: g.name)
def test_composed_memories(tmp_path, geometry, process):
    """From the first read on, undefined words and all."""
    found = differences(tmp_path, geometry, process)
    assert found == []


@pytest.mark.parametrize(
    ("geometry", "process", "right", "wrong"),
    [
        (GEOMETRIES[2], IHP_SG13G2, "shown <= read_row", "shown <= 0"),
        (GEOMETRIES[2], SKY130, "if (reads)", "if (writes)"),
        (GEOMETRIES[0], IHP_SG13G2, "we[7]", "we[6]"),
        (GEOMETRIES[1], SKY130, "we[1]", "we[0]"),
        (GEOMETRIES[3], SKY130, "fresh ? chosen : held", "chosen"),
        (GEOMETRIES[5], IHP_SG13G2, "write_row == 3'd1", "write_row == 3'd0"),
    ],
)
def test_mistakes_are_found(tmp_path, geometry, process, right, wrong):
    def spoil(text):
        assert right in text
        return text.replace(right, wrong)

    assert differences(tmp_path, geometry, process, spoil)


def test_a_use_that_is_not_modelled_ends_the_simulation(tmp_path):
    found = differences(
        tmp_path, GEOMETRIES[3], IHP_SG13G2, lambda text: text.replace(".B_WEN(1'b0)", ".B_WEN(1)")
    )
    assert any("not modelled" in line for line in found)


def test_the_smallest_area_is_chosen():
    names = [compose(g, IHP_SG13G2.macros, "ihp").macro.name for g in GEOMETRIES]
    assert names[0] == "RM_IHPSG13_1P_256x64_c2_bm_bist"
    assert names[5] == "RM_IHPSG13_2P_512x16_c2_bm_bist"  # 5 x 3 of them, not 3 x 3 of 1024x16
    for geometry in GEOMETRIES:
        composition = compose(geometry, IHP_SG13G2.macros, "ihp")
        assert composition.rows * composition.macro.depth >= geometry.depth
        covered = [
            bit for start, count in composition.slices for bit in range(start, start + count)
        ]
        assert covered == list(range(geometry.width))


def test_what_is_too_deep_is_refused():
    with pytest.raises(RowforgeError, match="at most 16384 words on process sky130"):
        compose(MemoryGeometry("1rw", 32672, 32, 8), SKY130.macros, "sky130")
    with pytest.raises(RowforgeError, match="process mine has no macro for memories of 1rw"):
        compose(GEOMETRIES[0], (), "mine")
