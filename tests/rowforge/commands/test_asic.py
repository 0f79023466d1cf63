"""`rowforge asic`: what it refuses before it starts."""

from tests.rowforge.support import rowforge

CELLS = """library (cells) { nom_voltage : 1.2; nom_temperature : 25;
  cell (sg13g2_lgcp_1) { area : 1; } }"""
MACRO = """library (macro) { nom_voltage : 1.1; nom_temperature : 125;
  cell (ram) { area : 1; memory () { type : ram; } } }"""


def files(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.lib").write_text(text)
    return [folder / f"{name}.lib" for name in texts]


def asic(capsys, folder, process, liberty, *more):
    arguments = ("asic", "--preset", "tiny", "--process", process, "-o", folder / "out")
    return rowforge(capsys, *arguments, *more, "--liberty", *liberty)


def test_liberty_files_must_fit_together(capsys, tmp_path):
    cells, macro, again = files(tmp_path, cells=CELLS, macro=MACRO, again=CELLS)
    ihp = "ihp-sg13g2"
    asic(capsys, tmp_path, ihp, [macro]).assert_refused("--liberty must name a file of standard")
    asic(capsys, tmp_path, ihp, [cells, macro]).assert_refused("standard cells for 1.1 V 125 °C")
    asic(capsys, tmp_path, ihp, [cells, again]).assert_refused("not two")
    asic(capsys, tmp_path, ihp, [tmp_path / "none.lib"]).assert_refused("cannot read liberty file")
    assert not (tmp_path / "out" / "netlist.v").exists()


def test_other_mistakes(capsys, tmp_path):
    cells = files(tmp_path, cells=CELLS)
    asic(capsys, tmp_path, "generic", cells).assert_refused("generic")
    asic(capsys, tmp_path, "ihp-sg13g2", cells, "--period", "0").assert_refused("--period")
    asic(capsys, tmp_path, "ihp-sg13g2", cells, "--energy", "x.csv").assert_refused("--energy")
