"""Recorded models by the C runtime."""

from dataclasses import dataclass

from rowforge.configs import preset
from rowforge.running.compilation import compile_model
from tests.campaigns.c_runtime.compare import WAYS, both
from tests.campaigns.models.driver import Model


@dataclass(frozen=True)
class ModelFinding:
    """What became of a model: what is wrong, "" if nothing; sizes in bytes."""

    model: str
    program: int
    memory: int
    ours: int
    wrong: str

    def __str__(self) -> str:
        return (
            f"{self.model:36} {self.program:9,} B program {self.memory:7,} B memory "
            f"{self.ours:2} steps of the user's  {self.wrong or 'equal'}"
        )


def run_recorded(model: Model, name: str, inputs: int) -> ModelFinding:
    """A model on a preset with the first of its recorded inputs."""
    program = compile_model(model.path, preset(name)).program
    exported, ran, wrong = both(program, model.inputs[:inputs], WAYS[0])
    steps = len(ran.asked) // inputs
    return ModelFinding(model.name, 8 * len(exported.words), exported.memory, steps, wrong)
