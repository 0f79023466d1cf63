"""The benchmarks of searches: what they must reach, and wrong options in a sentence."""

import pytest

from benchmarks.exploring import estimates, hypervolume


@pytest.mark.parametrize(
    ("benchmark", "jobs", "models", "said"),
    [
        (hypervolume, ("--jobs", "1"), (), "a folder with one kws_ref_model.tflite, not 0"),
        (hypervolume, ("--jobs", "0"), ("kws_ref_model.tflite",), "--jobs must be at least 1"),
        (estimates, (), ("a.tflite", "b.tflite"), "a folder with 4 models, not 2"),
    ],
)
def test_wrong_options(benchmark, jobs, models, said, tmp_path, capsys):
    for name in models:
        (tmp_path / name).touch()
    with pytest.raises(SystemExit, match="2"):
        benchmark.main(["--models", str(tmp_path), *jobs])
    assert said in capsys.readouterr().err


def test_an_estimate_that_is_too_slow_is_missed():
    found = {"new": {"a": 1.5, "b": 0.6}, "known": {"a": 0.01, "b": 0.02}}
    assert [holds for holds, _ in estimates.conditions(found)] == [False, True]
