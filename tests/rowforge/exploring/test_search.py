"""A search gives the same whoever evaluates it, and however often it is cut short."""

from dataclasses import replace

import pytest

from rowforge.area.model import modelled
from rowforge.estimation import estimate
from rowforge.exploring.evaluation import Job, evaluate
from rowforge.exploring.evaluators import HereEvaluator
from rowforge.exploring.front import dominates, front, hypervolume, signed
from rowforge.exploring.search import search
from tests.rowforge.exploring.spaces import PretendedEvaluator, space_of
from tests.rowforge.support import MODEL

optuna = pytest.importorskip("optuna")


@pytest.fixture(scope="module", params=("nsga2", "tpe"))
def space(request, tmp_path_factory):
    return space_of(tmp_path_factory.mktemp("space"), sampler=request.param)


@pytest.fixture(scope="module")
def whole(space, tmp_path_factory):
    """All trials of an undisturbed search."""
    return search(space, tmp_path_factory.mktemp("whole") / "j.log", PretendedEvaluator())


def test_trial_0_is_the_start(space, whole):
    assert len(whole) == space.trials
    assert whole[0].config(space) == space.start
    assert [trial.number for trial in whole] == list(range(space.trials))
    assert len({str(trial.values) for trial in whole}) == len(whole)


def test_a_space_with_fewer_configurations_than_trials_is_searched_all_the_same(tmp_path):
    space = space_of(tmp_path)
    small = replace(space, values={"array.rows": (2, 4), "array.cols": (2, 4)}, trials=20)
    trials = search(small, tmp_path / "j.log", PretendedEvaluator())
    assert len(trials) == 20
    assert {tuple(trial.values.values()) for trial in trials} == {(2, 2), (2, 4), (4, 2), (4, 4)}


def test_a_search_that_is_killed_anywhere_ends_as_if_nothing_had_been(space, whole, tmp_path):
    """Of five generations of eight: in the first, second, third, fourth, and fourth again."""
    journal = tmp_path / "j.log"
    for stop in (3, 9, 12, 12, 1):
        with pytest.raises(KeyboardInterrupt):
            search(space, journal, PretendedEvaluator(stop))
    last = PretendedEvaluator()
    assert search(space, journal, last) == whole
    assert last.count == 16


def test_a_generation_of_which_the_journal_has_a_part_goes_on(space, whole, tmp_path):
    """As if the process had died while it wrote: 12 trials are a generation and a half."""
    journal = tmp_path / "j.log"
    part = search(space_of(tmp_path, sampler=space.sampler, trials=12), journal, HereOnce())
    assert part == whole[:12]
    assert search(space, journal, PretendedEvaluator()) == whole


class HereOnce(PretendedEvaluator):
    """Each job by itself, the last one first."""

    def evaluated(self, jobs, done):
        found = {number: self._one(jobs[number]) for number in reversed(range(len(jobs)))}
        return [found[number] for number in range(len(jobs))]


def test_another_seed_is_another_search(space, whole, tmp_path):
    other = search(space_of(tmp_path, seed=8), tmp_path / "j.log", PretendedEvaluator())
    assert [trial.values for trial in other] != [trial.values for trial in whole]
    assert other[0] == whole[0]


def test_the_front_is_what_nobody_betters(space, whole):
    best = front(space, whole)
    assert any(not trial.fits(space) for trial in whole)
    points = [signed(space, trial) for trial in whole if trial.fits(space)]
    for trial in best:
        assert trial.fits(space)
        assert not any(dominates(point, signed(space, trial)) for point in points)
    shown = {signed(space, trial) for trial in best}
    assert all(p in shown or any(dominates(q, p) for q in shown) for p in points)
    assert all(trial.evaluated.cells["multipliers"] <= 16 for trial in best)


@pytest.mark.parametrize(
    ("points", "worst", "volume"),
    [
        ([(1.0, 1.0)], (3.0, 4.0), 6.0),
        ([(1.0, 3.0), (2.0, 1.0)], (4.0, 4.0), 7.0),
        ([(1.0, 3.0), (2.0, 1.0), (2.0, 2.0)], (4.0, 4.0), 7.0),
        ([(0.0, 0.0, 0.0), (-1.0, 1.0, 1.0)], (2.0, 2.0, 2.0), 9.0),
        ([(5.0, 1.0)], (4.0, 4.0), 0.0),
    ],
)
def test_hypervolume(points, worst, volume):
    assert hypervolume(points, worst) == volume


def test_the_evaluation_is_the_estimate(tmp_path):
    """Of the model that has all the weight, and of the model of areas; a refusal is a sentence."""
    space = space_of(tmp_path, trials=1)
    (trial,) = search(space, tmp_path / "j.log", HereEvaluator())
    total = estimate(MODEL, space.start)["total"]
    assert trial.evaluated.figures == {
        "cycles": total["cycles"],
        "energy": total["energy"]["total"],
        "traffic": total["link_bytes"],
        "area": modelled(space.start).luts,
    }
    wrong = Job(values={**space.start.values(), "noc.ifmap": 8, "buffer.width": 32}, models=())
    assert "noc.ifmap must be at most 4" in evaluate(wrong).refusal
