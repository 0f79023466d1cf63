"""What the class docstring of a component says of its ports, in a form that can be compared.

A `Members` section has, for each port or group of like ports, a header and a text:

    ifmap, filters : in, stream of FilterBeat(config)
        What it means, with its unit where it has one.

The header gives a direction, a shape and, for a port that not every component has, a condition
(`, if config.array.data_width == 8`). Shapes are expressions over the
constructor's arguments and the module's names, in which these words stand for what Amaranth
spells out:

    signed E                signed(E)
    array of N E            data.ArrayLayout(E, N)
    stream of E             stream.Signature(E)
    M, N times E            a port array: In(E).array(M, N)
    {a: E, b: in F}         a signature seen from its initiator; within another shape, and where
                            the port is no interface, a struct
"""

import inspect
import re
import sys
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Shape, ShapeCastable, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import Flow, In, Member, Out, Signature

SECTION = "Members\n-------\n"
_HEADER = re.compile(r"(?P<names>[a-z]\w*(?:, [a-z]\w*)*) : (?P<flow>in|out), (?P<shape>.+)")


@dataclass(frozen=True)
class Documented:
    """What a docstring says of one port."""

    flow: Flow
    shape: str
    condition: str
    text: str


def section(doc: str | None) -> list[str]:
    """The lines of the section; none if there is no section."""
    return (doc or "").partition(SECTION)[2].split("\n\n")[0].splitlines()


def documented(doc: str | None) -> dict[str, Documented]:
    """The ports of a docstring by name; `ValueError` for what is not in the form above."""
    entries: list[list[str]] = []
    for line in section(doc):
        depth = len(line) - len(line.lstrip())
        if depth == 0:
            entries.append([line, ""])
        elif not entries or depth not in (4, 8) or (depth == 8 and entries[-1][1]):
            raise ValueError(f"{line!r} belongs to no member")
        else:
            entries[-1][depth == 4] += f" {line.strip()}"
    found: dict[str, Documented] = {}
    for header, text in entries:
        match = _HEADER.fullmatch(header)
        if match is None:
            raise ValueError(f"{header!r} is no header of a member")
        shape, _, condition = match["shape"].partition(", if ")
        for name in match["names"].split(", "):
            if name in found:
                raise ValueError(f"{name} is there twice")
            flow = In if match["flow"] == "in" else Out
            found[name] = Documented(flow, shape, condition, text.strip())
    return found


def namespace(component: wiring.Component) -> dict[str, Any]:
    """What expressions in the docstring of a component may name."""
    args, kwargs = component._arguments
    bound = inspect.signature(type(component).__init__).bind(component, *args, **kwargs)
    bound.apply_defaults()
    arguments = {name: value for name, value in bound.arguments.items() if value is not None}
    modules: dict[str, Any] = {}
    for cls in reversed(type(component).__mro__):  # a docstring may be that of a class above
        modules |= vars(sys.modules[cls.__module__])
    return {**modules, **vars(component), **arguments}


def _docstring(cls: type) -> str:
    """The docstring of the class or of the nearest one above it that lists members."""
    docs = [inspect.cleandoc(each.__doc__ or "") for each in cls.__mro__]
    return next((doc for doc in docs if SECTION in doc), "")


def problems(component: wiring.Component) -> list[str]:
    """In what the docstring of a component is wrong about its ports."""
    try:
        said = documented(_docstring(type(component)))
    except ValueError as error:
        return [str(error)]
    names, members = namespace(component), component.signature.members
    wrong = [f"{name} is not documented" for name in members if name not in said]
    for name, port in said.items():
        there = not port.condition or eval(port.condition, names)
        if there != (name in members):
            wrong.append(f"{name} is no port" if there else f"{name} is a port nevertheless")
        elif there:
            wrong += [f"{name}: {what}" for what in _differences(port, members[name], names)]
    return wrong


def _differences(port: Documented, member: Member, names: dict[str, Any]) -> list[str]:
    """Empty where they agree; a name that the docstring must not use is a difference too."""
    try:
        return _compared(port, member, names)
    except NameError as error:
        return [str(error)]


def _compared(port: Documented, member: Member, names: dict[str, Any]) -> list[str]:
    wrong = []
    if not port.text:
        wrong.append("has no meaning")
    if port.flow is not member.flow:
        wrong.append(f"the direction is {member.flow!r}")
    times, _, shape = port.shape.rpartition(" times ")
    dimensions = eval(f"({times},)", names) if times else ()
    if tuple(dimensions) != tuple(member.dimensions):
        wrong.append(f"there are {member.dimensions}")
    if member.is_signature:
        if port.flow(_signature(shape, names)).signature != member.signature:
            wrong.append(f"the interface is {member.signature!r}")
    elif not _same(_shape(shape, names), member.shape):
        wrong.append(f"the shape is {member.shape!r}")
    return wrong


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, ShapeCastable) or isinstance(second, ShapeCastable):
        return bool(first == second)
    return Shape.cast(first) == Shape.cast(second)


def _signature(text: str, names: dict[str, Any]) -> Signature:
    if text.startswith("stream of "):
        return stream.Signature(_shape(text.removeprefix("stream of "), names))
    if text.startswith("{"):
        members = {}
        for name, shape in _fields(text):
            flow = In if shape.startswith("in ") else Out
            members[name] = flow(_shape(shape.removeprefix("in "), names))
        return Signature(members)
    found: Signature = eval(text, names)
    return found


def _shape(text: str, names: dict[str, Any]) -> Any:
    if text.startswith("signed "):
        return signed(eval(text.removeprefix("signed "), names))
    if text.startswith("array of "):
        length, _, element = text.removeprefix("array of ").partition(" ")
        return data.ArrayLayout(_shape(element, names), eval(length, names))
    if text.startswith("{"):
        return data.StructLayout({name: _shape(shape, names) for name, shape in _fields(text)})
    return eval(text, names)


def _fields(text: str) -> list[tuple[str, str]]:
    """The fields of "{a: E, b: F(x, y)}", split at commas outside brackets."""
    depth, parts = 0, [""]
    for letter in text[1:-1]:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    pairs = [part.split(":", 1) for part in parts]
    return [(name.strip(), shape.strip()) for name, shape in pairs]
