"""Energy, accesses and link bytes in reports, and the files of counts for other tools."""

import json
import warnings

import pytest

from compiler.workloads.layers import LayerShape
from hw.arch.accesses import Access, Accesses, DataType, Direction, Level, link_bytes
from hw.arch.energy import technology
from rowforge import reproduction
from rowforge.configs import preset
from rowforge.energy.document import add_energy, link_split
from rowforge.energy.export import action_counts, export_accesses, word_accesses
from rowforge.energy.layer_tally import LayerTally
from rowforge.estimation import estimate
from tests.rowforge.support import MODEL, rowforge

READ, WRITE = Direction.READ, Direction.WRITE
TALLY = LayerTally(
    Accesses.of(
        {
            Access(Level.MAC, DataType.PSUM, WRITE): 100,
            Access(Level.SPAD, DataType.FILTER, READ): 70,
            Access(Level.SPAD, DataType.FILTER, WRITE): 5,
            Access(Level.SPAD, DataType.PSUM, READ): 80,
            Access(Level.SPAD, DataType.PSUM, WRITE): 81,
            Access(Level.BUFFER, DataType.IFMAP, READ): 40,
            Access(Level.BUFFER, DataType.IFMAP, WRITE): 9,
            Access(Level.BUFFER, DataType.OFMAP, READ): 7,
            Access(Level.BUFFER, DataType.OFMAP, WRITE): 8,
            Access(Level.LINK, DataType.COMMAND, READ): 11,
            Access(Level.LINK, DataType.COMMAND, WRITE): 1,
            Access(Level.LINK, DataType.FILTER, READ): 20,
            Access(Level.LINK, DataType.SPILL, READ): 3,
            Access(Level.LINK, DataType.SPILL, WRITE): 4,
            Access(Level.LINK, DataType.OUTPUT, WRITE): 2,
        }
    ),
    100,
    30,
)


def document(*tallies, name="normalised", config=None):
    rows = [{"name": f"layer{number}"} for number, _ in enumerate(tallies)]
    found = {"layers": rows, "total": {}}
    add_energy(config or preset("eyeriss_v1"), found, tallies, technology(name), inferences=2)
    return found


# ---- a memory beside the buffer ----------------------------------------------------------------


def test_what_is_replayed_is_accessed_in_the_memory_and_costs_as_much_there():
    values = {"memory.kind": "ram", "memory.words": 1024}
    fed, held = preset("eyeriss_v1"), preset("eyeriss_v1").with_values(values)
    inputs = Access(Level.LINK, DataType.INPUT, READ)
    tally = LayerTally(TALLY.accesses + Accesses.of({inputs: 6}), 100, 30)
    linked, found = document(tally, config=fed), document(tally, config=held)
    row, before = found["layers"][0], linked["layers"][0]
    assert row["accesses"]["memory"] == {
        "command": {"read": 11},
        "filter": {"read": 20},
        "spill": {"read": 3, "write": 4},
        "input": {"read": 6, "write": 6},
    }
    assert row["accesses"]["link"] == {
        "command": {"write": 1},
        "input": {"read": 6},
        "output": {"write": 2},
    }
    assert (row["link_bytes"], row["memory_bytes"]) == (8 * 9, 8 * 50)
    assert found["total"]["memory_bytes"] == row["memory_bytes"]
    assert "memory_bytes" not in before
    # Only the inputs are moved more often: twice in the memory.
    dram = before["energy"]["by_level"]["link"]
    levels = row["energy"]["by_level"]
    assert levels["memory"] + levels["link"] == pytest.approx(dram * (47 + 12) / 47)
    assert link_bytes(held, tally.accesses) == 8 * 47


# ---- the object ---------------------------------------------------------------------------------


def test_totals_are_sums_of_layers():
    found = document(TALLY, TALLY, LayerTally())
    one, total = found["layers"][0], found["total"]
    assert found["layers"][2]["accesses"] == {}
    assert total["energy"]["total"] == 2 * one["energy"]["total"] > 0
    assert total["energy"]["gated_macs"] == 60
    assert total["accesses"]["spad"]["filter"] == {"read": 140, "write": 10}
    assert total["link_split"] == {key: 2 * value for key, value in one["link_split"].items()}


def test_energy_of_a_layer_by_level_and_type():
    energy = document(TALLY)["layers"][0]["energy"]
    assert energy["detail"] == {
        "mac": {"psum": 70},
        "spad": {"filter": 70, "psum": 161},
        "buffer": {"ifmap": 240, "ofmap": 48},
        "link": {"command": 9600, "filter": 16000, "spill": 5600, "output": 1600},
    }
    assert energy["total"] == sum(energy["by_level"].values()) == sum(energy["by_type"].values())
    assert energy["per_mac"] == energy["total"] / 100
    assert (energy["unit"], energy["inferences_per_joule"]) == ("MAC", None)


def test_inferences_of_a_joule():
    total = document(TALLY, name="nn_dataflow_65nm")["total"]["energy"]
    assert total["unit"] == "pJ" and not total["partial"]
    assert total["inferences_per_joule"] == pytest.approx(2 / (total["total"] * 1e-12), rel=1e-5)
    part = document(TALLY, name="eyeriss_like_45nm")["total"]["energy"]
    assert part["partial"] and part["inferences_per_joule"] is None
    assert part["missing"] == ["link.command", "link.filter", "link.spill", "link.output"]


def test_link_bytes_by_what_they_are():
    config = preset("eyeriss_v1")
    resident = Accesses.of({Access(Level.BUFFER, DataType.FILTER, READ): 6})
    untold = Accesses.of({Access(Level.LINK, DataType.ANY, READ): 5})
    split = link_split(config, TALLY.accesses + resident)
    assert split == {
        "commands": 96,
        "tables": 0,
        "filters": 160,
        "inputs": 0,
        "outputs": 16,
        "spills": 56,
        "filters_resident": 12,
    }
    assert sum(split.values()) - 12 == link_bytes(config, TALLY.accesses)
    assert link_split(config, untold)["other"] == 40


# ---- reports ------------------------------------------------------------------------------------


def test_a_report_has_energy_of_layers_and_in_all():
    found = estimate(MODEL, preset("tiny"))
    rows, total = found["layers"], found["total"]
    for row in rows:
        split = row["link_split"]
        assert sum(split.values()) - split["filters_resident"] == (row["link_bytes"] or 0)
        macs = row["accesses"].get("mac", {}).get("psum", {}).get("write", 0)
        assert macs == (row["macs"] if row["where"] == "array" else 0)
    assert total["energy"]["total"] == pytest.approx(
        sum(row["energy"]["total"] for row in rows), rel=1e-4
    )
    assert total["energy"]["gated_macs"] is None


def test_a_run_on_the_rtl_knows_what_was_skipped(capsys):
    arguments = ("run", MODEL, "--preset", "tiny", "--json")
    counted = rowforge(capsys, *arguments, "--technology", "nn_dataflow_65nm").document
    energy, macs = counted["total"]["energy"], counted["total"]["macs"]
    assert 0 < energy["gated_macs"] < macs
    layers = [row for row in counted["layers"] if row["macs"]]
    assert energy["gated_macs"] == sum(row["energy"]["gated_macs"] for row in layers)
    at_mac = 2 * (macs - energy["gated_macs"]) / 4  # 8 of 16 bits, both operands
    assert energy["by_level"]["mac"] == pytest.approx(at_mac, rel=1e-5)
    assert energy["inferences_per_joule"] == pytest.approx(1e12 / energy["total"], rel=1e-4)


def test_published_shares_of_zeros_are_skipped(monkeypatch):
    shape = LayerShape("conv3", 7, 16, 16, 3, 1, 1)
    monkeypatch.setattr(reproduction, "conv_layers", lambda name: (shape,))
    found = reproduction.reproduce("alexnet", preset("eyeriss_v1"))
    (row,) = found["layers"]
    assert row["energy"]["gated_macs"] == round(row["macs"] * 0.725)
    assert row["energy"]["by_level"]["mac"] == row["macs"] - row["energy"]["gated_macs"]


def test_tables_of_energy(capsys):
    brief = rowforge(capsys, "estimate", MODEL, "--preset", "tiny").out
    assert "by the table normalised" in brief and "no product is skipped" in brief
    long = rowforge(capsys, "estimate", MODEL, "--preset", "tiny", "--technology", "timeloop_45nm")
    assert "A part only, without network.filter" in " ".join(long.out.split())
    assert long.out.count("001_CONV_2D ") == 2 == 1 + brief.count("001_CONV_2D ")
    assert "pJ a MAC" in " ".join(long.out.split())


def test_a_table_of_the_users_own(capsys, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nunit = "pJ"\nprocess = "28 nm"\nsource = "test"\nlicence = "none"\n'
        '[[entries]]\nlevel = "mac"\nenergy = 4\nbits = 8\n'
    )
    call = ("estimate", MODEL, "--preset", "tiny", "--technology", path, "--json")
    energy = rowforge(capsys, *call).document["total"]["energy"]
    assert (energy["technology"], energy["unit"]) == ("mine", "pJ")
    assert energy["total"] == energy["by_level"]["mac"] == 4 * 71_232 and energy["per_mac"] == 4
    assert "link.filter" in energy["missing"] and energy["inferences_per_joule"] is None
    sized = path.read_text().replace("[[entries]]", '[sizes]\n"buffer.depth" = 64\n[[entries]]')
    path.write_text(sized)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        told = rowforge(capsys, *call)
    assert "warning: technology mine was made for buffer.depth = 64 (here 256); its" in told.err
    assert told.document["total"]["energy"] == energy
    path.write_text(path.read_text().replace("bits = 8", "bits = 0"))
    rowforge(capsys, *call).assert_refused("entries[1]: bits", "1 to 4096", "0")


def test_a_program_file_tells_the_same_as_its_model(capsys, tmp_path):
    program = tmp_path / "digits.rfp"
    rowforge(capsys, "compile", MODEL, "--preset", "tiny", "-o", program)
    arguments = ("--preset", "tiny", "--target", "golden", "--json")
    first, second = (
        rowforge(capsys, "run", model, *arguments).document for model in (MODEL, program)
    )
    assert [row["energy"] for row in first["layers"]] == [row["energy"] for row in second["layers"]]
    assert first["total"]["accesses"] == second["total"]["accesses"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--technology", "mine"], ["technology must be one of", "normalised", "'mine'"]),
        (["--technology", "missing.toml"], ["cannot read technology missing.toml"]),
        (["--export-accesses", "counts.txt"], ["--export-accesses", ".yaml", "counts.txt"]),
        (["--export-accesses", "no/such/folder.json"], ["cannot write", "folder.json"]),
    ],
)
def test_bad_use_is_one_sentence(capsys, arguments, words):
    call = ("estimate", MODEL, "--preset", "tiny", *arguments)
    rowforge(capsys, *call).assert_refused(*words)


# ---- files for other tools ----------------------------------------------------------------------


def test_action_counts_for_accelergy():
    text = action_counts(preset("eyeriss_v1"), document(TALLY)["total"])
    assert text.startswith(
        "action_counts:\n"
        "  version: 0.3\n"
        "  local:\n"
        "    - name: rowforge.mac  # 16 bits\n"
        "      action_counts:\n"
        "        - name: mac_random\n"
        "          counts: 70\n"
        "        - name: mac_gated\n"
        "          counts: 30\n"
        "    - name: rowforge.filter_spad  # 16 bits\n"
        "      action_counts:\n"
        "        - name: read\n"
        "          counts: 70\n"
        "        - name: write\n"
        "          counts: 5\n"
    )
    assert "rowforge.filter_link  # 64 bits\n" in text
    assert text.count("counts: ") == 1 + len(dict(TALLY.accesses.items()))


def test_word_accesses_for_zigzag():
    found = word_accesses(preset("eyeriss_v1_int8"), document(TALLY))
    assert found["memory_levels"] == ["spad", "buffer", "dram"]
    assert found["word_bits"] == {"I": [8, 8, 64], "W": [8, 8, 64], "O": [32, 32, 64]}
    operands = found["layers"]["layer0"]["outputs"]["memory"]["word_accesses"]
    ways = ("rd_out_to_low", "wr_in_by_low", "rd_out_to_high", "wr_in_by_high")
    told = {
        name: [tuple(level[way] for way in ways) for level in levels]
        for name, levels in operands.items()
        if name != "other"
    }
    assert told == {
        "I": [(0, 0, 0, 0), (40, 0, 0, 9), (3, 0, 0, 0)],
        "W": [(70, 0, 0, 5), (0, 0, 0, 0), (20, 0, 0, 0)],
        "O": [(80, 81, 0, 0), (0, 8, 7, 0), (0, 6, 0, 0)],
    }
    assert operands["other"] == 12


def test_every_word_is_exported_once(tmp_path):
    path = tmp_path / "counts.json"
    config = preset("tiny")
    export_accesses(path, config, estimate(MODEL, config))
    found = json.loads(path.read_text())
    report = estimate(MODEL, config)
    for row in report["layers"]:
        if not row["accesses"]:
            assert row["name"] not in found["layers"]
            continue
        operands = found["layers"][row["name"]]["outputs"]["memory"]["word_accesses"]
        told = operands.pop("other") + sum(
            sum(level.values()) for levels in operands.values() for level in levels
        )
        levels = [row["accesses"].get(level, {}) for level in ("spad", "buffer", "link")]
        assert told == sum(sum(ways.values()) for types in levels for ways in types.values())
