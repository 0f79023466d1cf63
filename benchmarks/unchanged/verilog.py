"""Two Verilog texts, compared but for the names of modules and the order in which they stand.

The text of a module with its own name left out, and the digests of its children in the place of
theirs, gives its digest: two designs are equal if the digests of their top modules are. Where they
are not, both hierarchies are walked from the top, and the modules whose own texts differ are left:
only these need a proof.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Set
from copy import copy
from dataclasses import dataclass
from functools import cached_property

from benchmarks.unchanged.rewriting import inlined, same_but_for_names, with_names_of

_MODULE = re.compile(r"^module (\w+) ?\(.*?^endmodule\n", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^  (\w+) (?:#\(.*?^  \) )?(\w+) \($", re.MULTILINE | re.DOTALL)
_ATTRIBUTE = re.compile(r"^ *\(\*.*?\*\)\n", re.MULTILINE)
_FOREIGN = re.compile(r"(?<=\n)(?://|/\*|`)")  # where text by others begins: ours has no such line
_DROPPED = re.compile(r"^(?:`timescale\b.*|//.*|/\*.*\*/|\s*)\n", re.MULTILINE)
_PORT = re.compile(r"^  (input|output|inout) (.*?);$", re.MULTILINE)


@dataclass(frozen=True)
class Pair:
    """Modules that stand at one place of both hierarchies and whose own texts differ.

    Attributes
    ----------
    path : where, names of instances from the top
    before, after : texts to prove equal, in which the module is called `unit`; its children have
        one name on both sides and no more than their ports
    reason : why no proof can be tried; "" if one can
    """

    path: str
    before: str
    after: str
    reason: str = ""


class Design:
    """A Verilog text by its modules.

    Parameters
    ----------
    text : of the whole design, what it takes from others last
    top : name of its top module; other modules may have it and an underscore as a prefix
    """

    def __init__(self, text: str, top: str) -> None:
        self.top = top
        begin = _FOREIGN.search(text)
        ours = text[: begin.start()] if begin else text
        self.modules = {found[1]: found[0] for found in _MODULE.finditer(ours)}
        self._prefix = re.compile(rf"\b{top}_(?=\w)")
        self._digests: dict[str, str] = {}
        self._rest = _MODULE.sub("", ours) + text[len(ours) :]

    @cached_property
    def foreign(self) -> str:
        """Text by others: all that is no module of ours, without prefix, comments, time scale."""
        return _DROPPED.sub("", self._prefix.sub("", self._rest))

    def own_text(self, name: str, children: Mapping[str, str]) -> str:
        """A module's text without its name and attributes; `children` renames what it uses.

        What is not in `children` is foreign, and loses the prefix.
        """
        text = _ATTRIBUTE.sub("", self.modules[name])
        text = text.replace(f"module {name}", "module unit", 1)

        def renamed(found: re.Match[str]) -> str:
            used = found[1]
            new = children.get(used) or self._prefix.sub("", used)
            return f"  {new}{found[0][2 + len(used) :]}"

        return _INSTANCE.sub(renamed, text)

    def children(self, name: str) -> dict[str, str]:
        """Modules that a module uses by names of instances; foreign ones are left out."""
        found = _INSTANCE.findall(self.modules[name])
        return {instance: used for used, instance in found if used in self.modules}

    def digest(self, name: str) -> str:
        """Equal for modules that differ in names of modules only."""
        if name not in self._digests:
            used = {child: self.digest(child) for child in self.children(name).values()}
            text = self.own_text(name, used)
            self._digests[name] = hashlib.sha256(text.encode()).hexdigest()
        return self._digests[name]

    def ports(self, name: str) -> list[tuple[str, str]]:
        """Directions and names of a module's ports with their ranges."""
        return _PORT.findall(self.modules[name])

    def shell(self, name: str, called: str) -> str:
        """A module of the same ports with nothing in it."""
        ports = self.ports(name)
        names = ", ".join(port.split()[-1] for _, port in ports)
        lines = "".join(f"  {direction} {port};\n" for direction, port in ports)
        return f"module {called}({names});\n{lines}endmodule\n"

    def inlining(self, name: str, instance: str) -> "Design":
        """The design with the contents of an instance in its parent: a level of hierarchy less."""
        flat = copy(self)
        child = _ATTRIBUTE.sub("", self.modules[self.children(name)[instance]])
        parent = _ATTRIBUTE.sub("", self.modules[name])
        flat.modules = {**self.modules, name: inlined(parent, instance, child)}
        flat._digests = {}
        return flat

    def reached(self) -> set[str]:
        """All modules below the top one, itself too."""
        seen, left = set[str](), [self.top]
        while left:
            name = left.pop()
            if name not in seen:
                seen.add(name)
                left += self.children(name).values()
        return seen


@dataclass(frozen=True)
class Comparison:
    """What two designs have in common.

    Attributes
    ----------
    modules : modules of the design after
    unlike : modules whose own texts differ, each pair once
    foreign : whether what they take from others is equal
    strays : modules of either design that its top module does not reach
    """

    modules: int
    unlike: tuple[Pair, ...]
    foreign: bool
    strays: tuple[str, ...]


def compare(before: Design, after: Design) -> Comparison:
    """Walk both hierarchies from the top."""
    strays = tuple(
        sorted(
            name for design in (before, after) for name in design.modules.keys() - design.reached()
        )
    )
    return Comparison(
        modules=len(after.modules),
        unlike=tuple(_unlike(before, after)),
        foreign=before.foreign == after.foreign,
        strays=strays,
    )


def _unlike(before: Design, after: Design) -> Iterator[Pair]:
    seen = set[tuple[str, str]]()
    left = [(before.top, after.top, before.top)]
    while left:
        old, new, path = left.pop()
        if (old, new) in seen or before.digest(old) == after.digest(new):
            continue
        seen.add((old, new))
        older, newer = before.children(old), after.children(new)
        if newer.keys() - older.keys():
            flat = _without_levels(after, new, older.keys())
            if flat.children(new).keys() == older.keys():
                after, newer = flat, flat.children(new)
        if older.keys() != newer.keys():
            only = ", ".join(sorted(older.keys() ^ newer.keys()))
            yield Pair(path, before.modules[old], after.modules[new], f"only one has {only}")
            continue
        pairs = [(older[name], newer[name]) for name in older]
        left += [(older[name], newer[name], f"{path}.{name}") for name in older]
        pair = _pair(before, after, (old, new), pairs, path)
        if pair is not None:
            yield pair


def _without_levels(design: Design, name: str, wanted: Set[str]) -> Design:
    """The design with the instances of a module inlined that are not wanted."""
    for instance in sorted(design.children(name).keys() - wanted):
        design = design.inlining(name, instance)
    return design


def _pair(
    before: Design,
    after: Design,
    modules: tuple[str, str],
    children: list[tuple[str, str]],
    path: str,
) -> Pair | None:
    """What is to be proved of two modules; None if their own texts are equal."""
    old, new = modules
    names = {pair: f"child_{number}" for number, pair in enumerate(dict.fromkeys(children))}
    firsts, seconds = ([pair[side] for pair in names] for side in (0, 1))
    clash = len(set(firsts)) < len(names) or len(set(seconds)) < len(names)
    olds = {pair[0]: name for pair, name in names.items()}
    news = {pair[1]: name for pair, name in names.items()}
    texts = before.own_text(old, olds), after.own_text(new, news)
    if clash:
        return Pair(path, *texts, "instances of one module became instances of several")
    if texts[0] == texts[1] or same_but_for_names(*texts):
        return None
    texts = texts[0], with_names_of(*texts)
    reasons = [
        f"ports of {name} differ"
        for (one, other), name in names.items()
        if before.ports(one) != after.ports(other)
    ]
    if before.ports(old) != after.ports(new):
        reasons.append("its ports differ")
    shells = "".join(before.shell(one, name) for (one, _), name in names.items())
    return Pair(path, texts[0] + shells, texts[1] + shells, "; ".join(reasons))
