"""Our models of the ECP5's primitives, each against what Lattice's documents say of it."""

import random
import re
import shutil

import pytest

from hw.arch.errors import RowforgeError
from hw.emit.yosys import run_yosys
from sim.netlist.cells import OURS, YOSYS, cell_models, model, yosys_model
from tests.campaigns.netlist.icarus import RefusedError, drive
from tests.campaigns.netlist.lattice import WIDTHS, BlockRam, multiply

pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="no iverilog")

OPERANDS = {"A": 18, "B": 18, "SIGNEDA": 1, "SIGNEDB": 1, "SOURCEA": 1, "SOURCEB": 1}
CORNERS = (0, 1, 2, 0x0FF, 0x100, 0x1FFFE, 0x1FFFF, 0x20000, 0x20001, 0x3FFFE, 0x3FFFF)

PINS = {
    **dict.fromkeys(("DIA", "DIB"), 18),
    **dict.fromkeys(("ADA", "ADB"), 14),
    **dict.fromkeys(("CEA", "WEA", "RSTA", "CEB", "WEB", "RSTB"), 1),
    **dict.fromkeys(("CSA", "CSB"), 3),
}
IDLE = dict.fromkeys(PINS, 0)


# ---- the multiplier ------------------------------------------------------------------------


def check_multiplier(folder, text):
    """Random and extreme operands of all four kinds; raises AssertionError for a wrong product."""
    rng = random.Random(18)
    pairs = [(a, b) for a in CORNERS for b in CORNERS]
    pairs += [(rng.getrandbits(18), rng.getrandbits(18)) for _ in range(1000)]
    stimulus = [
        {"A": a, "B": b, "SIGNEDA": sa, "SIGNEDB": sb, "SOURCEA": 0, "SOURCEB": 0}
        for a, b in pairs
        for sa in (0, 1)
        for sb in (0, 1)
    ]
    results = drive(
        folder, text, "MULT18X18D", inputs=OPERANDS, outputs={"P": 36}, stimulus=stimulus
    )
    assert len(results) == len(stimulus)
    for item, result in zip(stimulus, results, strict=True):
        wanted = multiply(item["A"], item["B"], bool(item["SIGNEDA"]), bool(item["SIGNEDB"]))
        assert result["P"] == wanted, item


def test_multiplier(tmp_path):
    check_multiplier(tmp_path, model("MULT18X18D"))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("SIGNEDA & A17", "A17"), ("SIGNEDB & B17", "1'b0"), ("wide_a * wide_b", "wide_a * wide_a")],
)
def test_a_broken_multiplier_is_found(tmp_path, right, wrong):
    text = model("MULT18X18D")
    assert text.count(right) == 1
    with pytest.raises(AssertionError, match="SIGNEDA"):
        check_multiplier(tmp_path, text.replace(right, wrong))


@pytest.mark.parametrize(
    "parameters",
    [
        '.REG_OUTPUT_CLK("CLK0")',
        '.REG_PIPELINE_CLK("CLK0")',
        '.REG_INPUTA_CLK("CLK0")',
        '.REG_INPUTB_CLK("CLK0")',
        '.SOURCEB_MODE("C_SHIFT")',
        '.MULT_BYPASS("ENABLED")',
        '.CAS_MATCH_REG("TRUE")',
    ],
)
def test_other_modes_of_the_multiplier_do_not_elaborate(tmp_path, parameters):
    item = dict.fromkeys(OPERANDS, 0)
    with pytest.raises(RefusedError, match="MULT18X18D_is_modelled_without_registers"):
        drive(
            tmp_path,
            model("MULT18X18D"),
            "MULT18X18D",
            inputs=OPERANDS,
            outputs={"P": 36},
            stimulus=[item],
            parameters=f"#({parameters})",
        )


def test_the_cascade_of_the_multiplier_ends_the_simulation(tmp_path):
    item = {**dict.fromkeys(OPERANDS, 0), "SOURCEA": 1}
    with pytest.raises(RefusedError, match="cascade"):
        drive(
            tmp_path,
            model("MULT18X18D"),
            "MULT18X18D",
            inputs=OPERANDS,
            outputs={"P": 36},
            stimulus=[item],
        )


# ---- the block RAM -------------------------------------------------------------------------


def run_ram(folder, text, width, stimulus, parameters=""):
    """The words that port B shows after each edge."""
    results = drive(
        folder,
        text,
        "DP16KD",
        inputs=PINS,
        outputs={"DOA": 18, "DOB": 18},
        stimulus=stimulus,
        parameters=f"#(.DATA_WIDTH_A({width}), .DATA_WIDTH_B({width}){parameters})",
        clocks=("CLKA", "CLKB"),
    )
    mask = (1 << width) - 1
    return [(r["DOB"] << 18 | r["DOA"] if width == 36 else r["DOB"]) & mask for r in results]


def random_accesses(width, count):
    """Stimulus on a few rows at both ends of the memory, so that everything happens often."""
    rng = random.Random(width)
    shift = {36: 5, 18: 4, 9: 3, 4: 2, 2: 1, 1: 0}[width]
    rows = [*range(6), *((16384 >> shift) - 1 - row for row in range(6))]
    for _ in range(count):
        low = rng.getrandbits(shift)
        yield {
            **IDLE,
            "ADA": rng.choice(rows) << shift | low,
            "ADB": rng.choice(rows) << shift | rng.getrandbits(shift),
            "DIA": rng.getrandbits(18),
            "DIB": rng.getrandbits(18),
            "CEA": rng.random() < 0.9,
            "WEA": rng.random() < 0.7,
            "CEB": rng.random() < 0.8,
        }


def check_ram(folder, text, width):
    """Random accesses; raises AssertionError for a wrong word, or one too good to be undefined."""
    stimulus = list(random_accesses(width, 4000))
    shown = run_ram(folder, text, width, stimulus)
    ram = BlockRam(width)
    known, collisions = 0, []
    for item, word in zip(stimulus, shown, strict=True):
        before = ram.row(item["ADB"])
        old = [ram._words.get((before, i)) for i in range({36: 4, 18: 2}.get(width, 1))]
        collided = ram.edge(
            ada=item["ADA"],
            adb=item["ADB"],
            di=item["DIB"] << 18 | item["DIA"],
            write=bool(item["CEA"] and item["WEA"]),
            read=bool(item["CEB"]),
        )
        if collided and None not in old:
            size = width // len(old)
            collisions.append((word, sum(part << size * i for i, part in enumerate(old))))
        if ram.data is not None:
            known += 1
            assert word == ram.data, item
    assert known > 1000
    assert len(collisions) > 50
    assert any(word != old for word, old in collisions), "a collision always reads the old word"
    if width > 2:
        assert len({word for word, _ in collisions}) > min(8, len(collisions) // 4)


@pytest.mark.parametrize("width", WIDTHS)
def test_block_ram(tmp_path, width):
    check_ram(tmp_path, model("DP16KD"), width)


@pytest.mark.parametrize(
    ("width", "right", "wrong"),
    [
        (36, "WIDTH == 36 ? read[35:18] : read[17:0]", "read[17:0]"),
        (36, "if (bytes[i]) mem", "mem"),
        (18, "adb >> LOW", "adb >> 5"),
        (9, "if (CEB) begin", "begin"),
        (9, "if (writing)\n", "if (CEA)\n"),
        (36, "if (writing && write_row == read_row) read <= {$random, $random};\n      else", ""),
    ],
)
def test_a_broken_block_ram_is_found(tmp_path, width, right, wrong):
    text = model("DP16KD")
    assert text.count(right) == 1
    with pytest.raises(AssertionError):
        check_ram(tmp_path, text.replace(right, wrong), width)


@pytest.mark.parametrize(
    "parameters",
    [
        '.REGMODE_B("OUTREG")',
        '.WRITEMODE_A("WRITETHROUGH")',
        '.CLKBMUX("INV")',
        '.CSDECODE_A("0b111")',
        ".INITVAL_3F(320'h1)",
    ],
)
def test_other_modes_of_the_block_ram_do_not_elaborate(tmp_path, parameters):
    with pytest.raises(RefusedError, match="DP16KD_is_modelled"):
        run_ram(tmp_path, model("DP16KD"), 18, [IDLE], f", {parameters}")


@pytest.mark.parametrize("pin", ["WEB", "RSTA", "RSTB"])
def test_other_uses_of_the_block_ram_end_the_simulation(tmp_path, pin):
    with pytest.raises(RefusedError, match="not modelled"):
        run_ram(tmp_path, model("DP16KD"), 18, [{**IDLE, pin: 1}])


def test_contents_at_the_start_are_no_promise(tmp_path):
    shown = run_ram(
        tmp_path, model("DP16KD"), 36, [{**IDLE, "CEB": 1, "ADB": 32 * i} for i in range(8)]
    )
    assert len(set(shown)) == 8


# ---- the cells of yosys --------------------------------------------------------------------


def test_our_lut_is_that_of_yosys_for_every_contents(tmp_path):
    def with_input(text, name):
        text = re.sub(r"parameter \[15:0\] INIT = 16'h0000;", "", text)
        return re.sub(r"module LUT4\(input", f"module {name}(input [15:0] INIT, input", text)

    (tmp_path / "luts.v").write_text(
        with_input(model("LUT4"), "ours")
        + with_input(yosys_model("LUT4"), "theirs")
        + "\nmodule pair(input [15:0] INIT, input A, B, C, D, output good);\n"
        "wire x, y; ours a(INIT, A, B, C, D, x); theirs b(INIT, A, B, C, D, y);\n"
        "assign good = x == y;\nendmodule\n"
    )
    proof = "read_verilog luts.v; prep -top pair -flatten; sat -verify -prove good 1"
    run_yosys(proof, tmp_path)
    (tmp_path / "luts.v").write_text(
        (tmp_path / "luts.v").read_text().replace("{D, C, B, A}", "{D, C, A, B}")
    )
    with pytest.raises(RowforgeError, match="yosys failed"):
        run_yosys(proof, tmp_path)


@pytest.mark.parametrize("four_states", [False, True])
def test_every_cell_has_a_model_and_one_only(four_states):
    text = cell_models(four_states=four_states)
    modules = re.findall(r"^module (\w+)", text, re.MULTILINE)
    assert sorted(modules) == sorted((*OURS, *YOSYS))
    assert "specify" not in text
