"""What one commit makes, asked over standard input: `python -P worker.py` with it on PYTHONPATH.

Each line is a request, a JSON object whose "do" names a function of `Tree`; a line of JSON answers
it. Modules and functions moved between commits: `_module` and `Tree` know their places. What a
design or a program says of itself (hash, versions, identity) is pinned, so that it is the same
from every commit.
"""

import contextlib
import dataclasses
import enum
import hashlib
import importlib
import inspect
import json
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Values = dict[str, Any]

PINNED_HASH = 0x0123_4567_89AB_CDEF
PINNED_VERSION = 7
_IDENTITY_WORDS = 37
_SWEEPS = 3  # over all fields
_TRIES = 64  # values of a field, of which multiples of 8 bytes may be the legal ones
_WIDE = 16  # a range whose ends are further apart is drawn evenly in its logarithm


def _module(*places: str) -> Any:
    """The first of the modules that this commit has."""
    for place in places:
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError as error:
            if error.name is None or not (
                place == error.name or place.startswith(f"{error.name}.")
            ):
                raise
    raise ModuleNotFoundError(f"this commit has none of {', '.join(places)}")


def forget_installed() -> None:
    """Let no installed version of the project stand in for what this commit does not have."""
    sys.meta_path[:] = [
        finder
        for finder in sys.meta_path
        if "__editable__" not in getattr(finder, "__module__", "")
    ]


def check_places() -> None:
    """Every loaded module of the project must be a file of this commit."""
    here = Path.cwd().resolve()
    packages = {path.parent.name for path in here.glob("*/__init__.py")}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        ours = name.partition(".")[0] in packages and file is not None
        if ours and not Path(str(file)).resolve().is_relative_to(here):
            raise SystemExit(f"{name} comes from {file}, not from the commit in {here}")


# ---- random configurations ----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a field may be: one of `choices`, or from `low` to `high`."""

    choices: tuple[Any, ...] = ()
    low: int = 0
    high: int = 0

    def draw(self, rng: random.Random) -> Any:
        """A value within the limits; small ones of a wide range as often as large ones."""
        if self.choices:
            return rng.choice(self.choices)
        if self.high - self.low < _WIDE:
            return rng.randint(self.low, self.high)
        octave = 1 << rng.randint(0, (self.high - self.low + 1).bit_length() - 1)
        least = self.low + octave - 1
        return rng.randint(least, min(self.high, least + octave - 1))


def sizes_of(values: Mapping[str, Any]) -> dict[str, int]:
    """What makes the elaboration of a configuration slow."""
    return {
        "pes": values["rows"] * values["cols"],
        "buffer": values["glb_banks"] * values["glb_depth"] * values["glb_width"] // 8,
        "weight_memory": values["weight_memory"],
    }


def walk(
    start: Mapping[str, Any],
    limits: Mapping[str, Limits],
    legal: Callable[[Values], bool],
    rng: random.Random,
) -> Values:
    """A legal configuration, reached from a legal one by moving each field several times.

    Parameters
    ----------
    start : a legal configuration
    limits : of the fields that move
    legal : whether all values go together
    rng : the source of chance
    """
    values = dict(start)
    for _ in range(_SWEEPS):
        for name in rng.sample(sorted(limits), len(limits)):
            for _ in range(_TRIES):
                moved = values | {name: limits[name].draw(rng)}
                if legal(moved):
                    values = moved
                    break
    return values


# ---- plain forms --------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A value as JSON that says all of it; arrays as type, shape and digest."""
    if isinstance(value, enum.Enum):
        return value.name
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return sorted(([plain(key), plain(item)] for key, item in value.items()), key=str)
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        content = hashlib.sha256(value.tobytes()).hexdigest()
        return [str(value.dtype), list(value.shape), content]
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"{type(value).__name__} has no plain form")


def digest(value: Any) -> str:
    """16 hexadecimal digits of the plain form's sha256."""
    text = json.dumps(plain(value))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# ---- a commit -----------------------------------------------------------------------------------


class Tree:
    """The functions of this commit, found wherever they are; what can be asked is public.

    A request that the commit refuses is answered with its sentence under "refused".
    """

    def __init__(self) -> None:
        self._real_identity = self._pin()
        self._config: Any = _module("hw.arch.config").Config
        self._moved = self._moves()
        self._error = _module("hw.arch.errors").RowforgeError
        self._presets = _module("rowforge.configs")

    def _pin(self) -> Callable[[Any], list[int]]:
        """Give all that designs and programs say of themselves fixed values.

        Returns the identity that the commit would really give. It comes before any other import:
        functions are imported by name.
        """
        files = _module("hw.arch.config.file", "hw.arch.configfile")
        commands, version = _module("hw.arch.commands"), _module("hw.arch.version")
        identity = _module("hw.arch.config.identity", "hw.arch.identity")
        real, magic = identity.identity_words, int(commands.MAGIC)
        pinned = [magic, *range(1, _IDENTITY_WORDS)]
        files.config_hash = lambda config: PINNED_HASH
        identity.identity_words = lambda config: list(pinned)
        commands.COMMAND_SET_VERSION = version.LINK_PROTOCOL_VERSION = PINNED_VERSION
        found: Callable[[Any], list[int]] = real
        return found

    def _moves(self) -> dict[str, str]:
        """Full name of each field by its flat one, where configurations have sections."""
        try:
            return dict(_module("hw.arch.config.moved").MOVED)
        except ModuleNotFoundError:
            return {}

    def _built(self, values: Mapping[str, Any]) -> Any:
        """A configuration from values by flat names."""
        if not self._moved:
            return self._config.from_dict(values)
        return self._config.of(
            {self._moved[name]: self._there(name, value) for name, value in values.items()}
        )

    def _there(self, name: str, value: Any) -> Any:
        if name == "processor":
            return "microcontroller" if value else "engines"
        return value

    def _flat(self, config: Any) -> Values:
        """All values by flat names, the inverse of `_built`."""
        if not self._moved:
            return dict(config.as_dict())
        values = {name: config.value(place) for name, place in self._moved.items()}
        return values | {"processor": values["processor"] == "microcontroller"}

    def _said(self, text: str) -> str:
        """A sentence of this commit with the flat names of fields."""
        for name, place in self._moved.items():
            text = text.replace(place, name)
        return text

    def _named(self, request: Mapping[str, Any]) -> Any:
        """The configuration of a request: a preset by name, or values."""
        if "preset" in request:
            return self._presets.preset(request["preset"])
        return self._built(request["values"])

    # ---- configurations -------------------------------------------------------------------------

    def presets(self, request: Mapping[str, Any]) -> dict[str, Values]:
        """Values of every preset by flat names."""
        return {
            name: self._flat(self._presets.preset(name)) for name in self._presets.preset_names()
        }

    def draw(self, request: Mapping[str, Any]) -> list[Values]:
        """Random legal configurations, every `every`-th with the microcontroller.

        The walk begins at the defaults, or at the preset `start` for the microcontroller. `most`
        limits what makes elaboration slow and nothing else: PEs, and bytes of memories.
        """
        limits = dict(self._limits())
        limits.pop("processor")  # it does not move: one kind would lead to the other only seldom
        drawn, most = [], request["most"]

        def legal(values: Values) -> bool:
            sizes = sizes_of(values)
            return all(sizes[name] <= size for name, size in most.items()) and self._legal(values)

        for number in range(request["count"]):
            rng = random.Random(f"{request['seed']} {number}")
            small = number % request["every"] == request["every"] - 1
            start = self._presets.preset(request["start"]) if small else self._config()
            drawn.append(walk(self._flat(start), limits, legal, rng))
        return drawn

    def _limits(self) -> Iterator[tuple[str, Limits]]:
        """What each field may be, by flat name."""
        if self._moved:
            items = dict(self._config.declared())
            named = [(name, items[place]) for name, place in self._moved.items()]
        else:
            named = [(item.name, item) for item in dataclasses.fields(self._config)]
        for name, item in named:
            meta = item.metadata
            if "low" in meta:
                yield name, Limits(low=meta["low"], high=meta["high"])
            elif "choices" in meta:
                yield name, Limits(choices=tuple(meta["choices"]))
            else:
                yield name, Limits(choices=(False, True))

    def _legal(self, values: Values) -> bool:
        try:
            self._built(values)
        except self._error:
            return False
        return True

    # ---- what is made ---------------------------------------------------------------------------

    def verilog(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Writes a design's Verilog to the file of a request, and tells its real identity."""
        try:
            config = self._named(request)
            top = self._top(request["top"], config)
            emitter = _module("hw.emit.verilog", "hw.verilog")
            options = emitter.Options(reset_all=request["reset_all"], memories=request["memories"])
            text = emitter.emit(top, request["name"], options)
        except self._error as error:
            return {"refused": self._said(str(error))}
        Path(request["file"]).write_text(text, encoding="utf-8")
        return {"identity": self._real_identity(config)}

    def _top(self, kind: str, config: Any) -> Any:
        if kind == "core":
            place = _module("hw.top.accelerator", "hw.accelerator")
            found = getattr(place, "AcceleratorCore", None) or place.Accelerator
            return found(config)
        if kind == "axi":
            return _module("hw.top.axi", "hw.link.axi").AxiAccelerator(config)
        serial = _module("hw.top.serial", "hw.link.boards").SerialAccelerator
        return serial(config, clock=48e6, baud=1e6)

    def program(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Digests of all parts of a model's program, and the cycles of its run."""
        try:
            config = self._named(request)
            graph = _module("compiler.frontends").load_model(request["model"])
            program = self._compiled(graph, config)
        except self._error as error:
            model = Path(request["model"])
            return {"refused": self._said(str(error).replace(str(model), model.name))}
        parts = _program_parts(program)
        answer: dict[str, Any] = {"parts": parts, "layers": self._layers(config, program.layers)}
        answer |= {"cycles": None, "reasons": self._reasons(program.layers)}
        if not self._flat(config)["processor"]:
            prediction = _module("sim.cycles.predict").predict(program)
            answer["cycles"] = prediction.cycles
            answer["parts"]["cycles of layers"] = digest(
                [[layer, list(counts.items())] for layer, counts in prediction.layers.items()]
            )
        return answer

    def _layers(self, config: Any, layers: Sequence[Any]) -> dict[str, str]:
        """A digest for each key of the layers' rows in a report, where 0 and none are alike.

        Reports outlive what layers hold. Reasons are apart: they may name fields of configurations.
        """
        report = _module("rowforge.reports.report", "rowforge.report")
        rows = [report.layer_row(config, layer, layer.model_cycles) for layer in layers]
        keys = [key for key in (rows or [{}])[0] if key != "reason"]
        found = {key: digest([row[key] or None for row in rows]) for key in keys}
        return found | {"output": digest([layer.output for layer in layers])}

    def _reasons(self, layers: Sequence[Any]) -> str:
        return digest([self._said(layer.reason) for layer in layers])

    def _compiled(self, graph: Any, config: Any) -> Any:
        compiler = _module("compiler.compile")
        if "profile" in inspect.signature(compiler.compile_graph).parameters:
            return compiler.compile_graph(graph, config, profile=True)
        options = _module("compiler.options").CompileOptions(profile=True)
        return compiler.compile_graph(graph, config, options)

    def estimate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The mapper's estimates of a published network."""
        try:
            config = self._named(request)
            networks = _module("compiler.workloads.networks", "compiler.networks")
            width = self._flat(config)["data_width"]
            graph = networks.network_graph(request["network"], data_width=width, batch=1)
            layers = _module("compiler.compile").estimate_graph(graph, config)
        except self._error as error:
            return {"refused": self._said(str(error))}
        return {
            "layers": self._layers(config, layers),
            "reasons": self._reasons(layers),
            "cycles": sum(layer.model_cycles or 0 for layer in layers),
        }


def _program_parts(program: Any) -> dict[str, str]:
    """What reaches hardware and host, part by part."""
    steps = [(type(step).__name__, step) for step in program.steps]
    words = [(kind, step.words) for kind, step in steps if hasattr(step, "words")]
    return {
        "words": digest(words),
        "host steps": digest([(kind, step) for kind, step in steps if kind == "Host"]),
        "steps": digest(steps),
        "tensors": digest([program.tensors, program.inputs, program.outputs, program.rounding]),
        "constants": digest(program.constants),
        "weight memory": digest(program.memory),
    }


def main() -> None:
    """Answers requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")  # whatever else is printed must not disturb them
    with contextlib.redirect_stdout(sys.stderr):
        forget_installed()
        tree = Tree()
        for line in sys.stdin:
            request = json.loads(line)
            answer = getattr(tree, request["do"])(request)
            check_places()
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
