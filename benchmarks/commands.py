"""Every measurement: the command that makes it, by the name of its result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw.arch.config import Config
from hw.arch.config.file import render_toml
from rowforge.configs import preset

CHIP, INT8 = "eyeriss_v1", "eyeriss_v1_int8"
MODEL, ENERGY, RTL, TINY = "model", "energy", "rtl", "tiny"
GROUPS = {
    MODEL: "by the mapper's model, in two or three minutes",
    ENERGY: "accesses and energy beside the published ones, in a minute",
    RTL: "the CONV layers of AlexNet and crops of VGG-16's on the RTL, in about an hour",
    TINY: "the MLPerf Tiny models on the RTL, in some minutes; needs --models",
}


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One command of `rowforge`, which prints one JSON object.

    Attributes
    ----------
    name : of its result
    group : a key of `GROUPS`
    arguments : without the configuration and --json
    preset : the configuration
    changes : fields of the preset that differ, and their values
    model : file that stands before the other arguments, in the folder that --models names
    """

    name: str
    group: str = MODEL
    arguments: tuple[str, ...]
    preset: str = CHIP
    changes: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""

    @property
    def config(self) -> Config:
        """The configuration."""
        return preset(self.preset).with_values(self.changes)

    @property
    def config_name(self) -> str:
        """What to call the configuration."""
        return "_".join(filter(None, (self.preset, slug(self.changes))))

    @property
    def command(self) -> str:
        """The command as a user would type it; a changed preset is a file."""
        config = f"--config {self.config_name}.toml" if self.changes else f"--preset {self.preset}"
        words = (self.arguments[0], self.model, *self.arguments[1:], config, "--json")
        return " ".join(("rowforge", *(word for word in words if word)))

    def call(self, models: Path | None, folder: Path) -> list[str]:
        """The arguments to run it with; a changed preset is written to `folder`."""
        verb, *rest = self.arguments
        words = [verb, *([str((models or Path()) / self.model)] if self.model else []), *rest]
        if self.changes:
            path = folder / f"{self.config_name}.toml"
            path.write_text(render_toml(self.config), encoding="utf-8")
            return [*words, "--config", str(path), "--json"]
        return [*words, "--preset", self.preset, "--json"]


def slug(changes: Mapping[str, Any]) -> str:
    """Changed fields as a part of a file's name."""
    return "_".join(f"{name.replace('.', '_')}_{value}" for name, value in changes.items())


VARIANTS: tuple[Mapping[str, Any], ...] = (
    {"noc.ifmap": 2},
    {"noc.ifmap": 4},
    {"pe.ifmap_spad": 24, "pe.filter_spad": 448},
    {"pe.psum_spad": 48},
    {"buffer.banks": 50},
)

VGG_LAYERS = "conv1-1,conv1-2,conv2-1,conv3-2,conv4-2,conv5-1"  # one of each kind

NETWORKS = ("alexnet", "vgg16", "resnet50", "mobilenet_v1", "mobilenet_v1_0.5_128", "fastdepth")

TINY_MODELS = {
    "resnet8": "pretrainedResnet_quant.tflite",
    "ds_cnn": "kws_ref_model.tflite",
    "mobilenet_vww": "vww_96_int8.tflite",
    "autoencoder": "ad01_int8.tflite",
}

BENCHMARKS = (
    Benchmark(name="alexnet", arguments=("reproduce", "alexnet")),
    Benchmark(name="vgg16", arguments=("reproduce", "vgg16")),
    *(
        Benchmark(
            name=f"alexnet_{slug(changes)}",
            arguments=("reproduce", "alexnet"),
            changes=changes,
        )
        for changes in VARIANTS
    ),
    *(
        Benchmark(name=f"{name}_int8", arguments=("estimate", name), preset=INT8)
        for name in NETWORKS
    ),
    Benchmark(
        name="alexnet_energy",
        group=ENERGY,
        arguments=("reproduce", "alexnet", "--objective", "energy"),
    ),
    *(
        Benchmark(
            name=f"{name}_chip",
            group=ENERGY,
            arguments=("reproduce", name, "--schedule", "chip"),
        )
        for name in ("alexnet", "vgg16")
    ),
    Benchmark(name="energy_study", group=ENERGY, arguments=("reproduce", "energy")),
    Benchmark(name="alexnet_rtl", group=RTL, arguments=("reproduce", "alexnet", "--rtl")),
    Benchmark(
        name="vgg16_rtl",
        group=RTL,
        arguments=("reproduce", "vgg16", "--rtl", "--layers", VGG_LAYERS),
    ),
    *(
        Benchmark(name=name, group=TINY, arguments=("run",), preset=INT8, model=model)
        for name, model in TINY_MODELS.items()
    ),
)


def named(name: str) -> Benchmark:
    """The measurement of that name."""
    return next(benchmark for benchmark in BENCHMARKS if benchmark.name == name)
