"""The search itself: `search`.

Optuna's samplers choose, its journal keeps. The journal gets finished trials only, in their order.
For every generation a study is made anew in memory from the whole generations before it, with a
sampler whose seed follows from the space's and the generation's number: what is asked depends on
nothing else. A search that is cut short repeats the generation that it was in; of that, the journal
may already have the first trials.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hw.arch.config import Config
from hw.arch.config.section import Value
from hw.arch.errors import RowforgeError
from rowforge.exploring.evaluation import Evaluated, Job, cells_of
from rowforge.exploring.evaluators import Evaluator
from rowforge.exploring.space import SearchSpace

_STUDY = "rowforge"
_RESULT, _VALUES = "result", "values"  # what a trial keeps beside Optuna's own
_MOST_STEPS = 50  # from a configuration that is known to one that is not


@dataclass(frozen=True)
class Trial:
    """A configuration that was evaluated.

    Attributes
    ----------
    number : from 0
    values : of the space's fields
    evaluated : Evaluated
    """

    number: int
    values: dict[str, Value]
    evaluated: Evaluated

    def config(self, space: SearchSpace) -> Config:
        """The whole configuration; `RowforgeError` if there can be none."""
        return space.start.with_values(self.values)

    def fits(self, space: SearchSpace) -> bool:
        """Whether it was not refused and keeps the budget."""
        if self.evaluated.refusal:
            return False
        return all(share <= 0 for share in space.budget.excess(cells_of(self.evaluated)).values())

    def objectives(self, space: SearchSpace) -> tuple[float, ...]:
        """The value of each objective of a trial that was not refused."""
        return tuple(
            objective.of(self.evaluated.figures, space.clock or 0.0)
            for objective in space.objectives
        )


def search(
    space: SearchSpace,
    journal: Path,
    evaluator: Evaluator,
    show: Callable[[int, int], None] = lambda trials, generation: None,
) -> list[Trial]:
    """All trials of a space, those that the journal has and the others.

    Parameters
    ----------
    space : SearchSpace
    journal : file of Optuna's journal, made if absent; it must be of this space
    evaluator : who evaluates
    show : is told how many trials there are, and in which generation

    Raises `RowforgeError` if Optuna is missing.
    """
    with _optuna() as optuna:
        kept = _journal(optuna, space, journal)
        while (known := len(kept.trials)) < space.trials:
            number = known // space.generation
            first = number * space.generation
            count = min(space.generation, space.trials - first)
            show(first, number)
            study = _study(optuna, space, number, kept.trials[:first])
            asked = _generation(optuna, study, space, range(first, first + count))
            jobs = [_job(space, values) for _, values in asked]
            results = evaluator.evaluated(jobs, partial(_shown, show, first, number))
            for (trial, values), result in zip(asked, results, strict=True):
                _tell(optuna, study, space, trial, values, result)
            for trial, _ in asked[known - first :]:
                kept.add_trial(study.trials[trial.number])
        return [_trial(frozen) for frozen in kept.trials[: space.trials]]


def _shown(show: Callable[[int, int], None], first: int, generation: int, done: int) -> None:
    show(first + done, generation)


@contextmanager
def _optuna() -> Iterator[Any]:
    """The library, which says nothing meanwhile."""
    try:
        import optuna
    except ImportError:
        raise RowforgeError("explore needs Optuna; type pip install 'rowforge[explore]'") from None
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield optuna
    finally:
        optuna.logging.set_verbosity(before)


def _directions(space: SearchSpace) -> list[str]:
    return ["maximize" if objective.largest else "minimize" for objective in space.objectives]


def _journal(optuna: Any, space: SearchSpace, path: Path) -> Any:
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    storage = optuna.storages.JournalStorage(backend)
    return optuna.create_study(
        storage=storage, study_name=_STUDY, directions=_directions(space), load_if_exists=True
    )


def _study(optuna: Any, space: SearchSpace, generation: int, trials: Sequence[Any]) -> Any:
    """A study in memory with these trials, and the sampler of a generation."""
    seed = int(np.random.SeedSequence([space.seed, generation]).generate_state(1)[0])
    if space.sampler == "tpe":
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=space.generation)
    else:
        sampler = optuna.samplers.NSGAIISampler(seed=seed, population_size=space.generation)
    study = optuna.create_study(sampler=sampler, directions=_directions(space))
    study.add_trials(trials)
    return study


def _generation(
    optuna: Any, study: Any, space: SearchSpace, numbers: range
) -> list[tuple[Any, dict[str, Value]]]:
    """Trials with these numbers and their values; trial 0 is the start.

    Samplers ask for some configurations again and again, a genetic algorithm above all. In place of
    one that is known, a neighbour of it that is not is asked for.
    """
    known = [trial.user_attrs[_VALUES] for trial in study.trials]
    asked = []
    for number in numbers:
        trial, values = _asked(study, space, space.first if number == 0 else None)
        if values in known:
            other = _neighbour(space, values, known, number)
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            trial, values = _asked(study, space, other)
        trial.set_user_attr(_VALUES, values)
        known.append(values)
        asked.append((trial, values))
    return asked


def _asked(
    study: Any, space: SearchSpace, wanted: dict[str, Value] | None
) -> tuple[Any, dict[str, Value]]:
    """A trial and its values: those that are wanted, or the sampler's."""
    if wanted is not None:
        study.enqueue_trial({name: _index(space, name, value) for name, value in wanted.items()})
    trial = study.ask()
    return trial, {name: _suggested(trial, name, of) for name, of in space.values.items()}


def _neighbour(
    space: SearchSpace, values: dict[str, Value], known: Sequence[dict[str, Value]], number: int
) -> dict[str, Value]:
    """Where a few random steps from a configuration lead: to one that is not known, if they can."""
    rng = np.random.default_rng([space.seed, number])
    names = [name for name, of in space.values.items() if len(of) > 1]
    found = dict(values)
    for _ in range(_MOST_STEPS):
        if found not in known or not names:
            break
        name = names[rng.integers(len(names))]
        others = [value for value in space.values[name] if value != found[name]]
        found[name] = others[rng.integers(len(others))]
    return found


def _ordered(values: Sequence[Value]) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)


def _index(space: SearchSpace, name: str, value: Value) -> Value:
    """A parameter as Optuna has it: the place of a number among the numbers, else the value."""
    values = space.values[name]
    return _ascending(values).index(value) if _ordered(values) else value


def _ascending(values: Sequence[Value]) -> list[Value]:
    return sorted(values, key=int)


def _suggested(trial: Any, name: str, values: Sequence[Value]) -> Value:
    if _ordered(values):
        place: int = trial.suggest_int(name, 0, len(values) - 1)
        return _ascending(values)[place]
    chosen: Value = trial.suggest_categorical(name, list(values))
    return chosen


def _job(space: SearchSpace, values: dict[str, Value]) -> Job:
    return Job(
        values={**space.start.values(), **values},
        models=space.models,
        technology=space.technology,
    )


def _tell(
    optuna: Any,
    study: Any,
    space: SearchSpace,
    trial: Any,
    values: dict[str, Value],
    result: Evaluated,
) -> None:
    trial.set_user_attr(_RESULT, asdict(result))
    if result.refusal:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return
    for name, share in space.budget.excess(cells_of(result)).items():
        trial.set_constraint(name, share)
    study.tell(trial, list(Trial(trial.number, values, result).objectives(space)))


def _trial(frozen: Any) -> Trial:
    result = Evaluated(**frozen.user_attrs[_RESULT])
    return Trial(frozen.number, frozen.user_attrs[_VALUES], result)
