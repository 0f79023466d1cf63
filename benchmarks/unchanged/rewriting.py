"""Two rewritings that leave a Verilog module what it is: other names, and a level less.

Both work on the text that yosys writes: a declaration, an assignment or a port a line.
"""

import re

_TOKEN = re.compile(r"\\\S+|[A-Za-z_][\w$]*|\d+'s?[bodh][0-9a-fxz_]+|\d+|\S")
_DECLARED = re.compile(
    r"^  (input|output|wire|reg)\b(?: signed)?(?: \[[^\]]*\])? (\\\S+|\w+)", re.MULTILINE
)
_PLAIN = re.compile(r"\w+|\\\S+").fullmatch
_NUMBERED = re.compile(r"_\d+_").fullmatch
_REGISTER = re.compile(r"^  reg (\[[^\]]*\] )?(\S+)( = \S+)?;$", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z_\\]")
_PORT = re.compile(r"^    \.(\\\S+ |\w+)\((.*)\),?$", re.MULTILINE)


def same_but_for_names(before: str, after: str) -> bool:
    """Whether signals of a module have other names, one for one, and nothing else differs.

    Ports keep their names. Declarations may stand in another order.
    """
    heads, bodies = zip(*map(_parted, (before, after)), strict=True)
    tokens = [_TOKEN.findall(body) for body in bodies]
    if len(tokens[0]) != len(tokens[1]):
        return False
    ports = {name for kind, name in _DECLARED.findall(before) if kind in ("input", "output")}
    new: dict[str, str] = {name: name for name in ports}
    old: dict[str, str] = {name: name for name in ports}
    for one, other in zip(*tokens, strict=True):
        if new.setdefault(one, other) != other or old.setdefault(other, one) != one:
            return False
        if one != other and not (_NAME.match(one) and _NAME.match(other)):
            return False
    renamed = [
        " ".join(new.get(token, token) for token in _TOKEN.findall(line)) for line in heads[0]
    ]
    return sorted(renamed) == sorted(" ".join(_TOKEN.findall(line)) for line in heads[1])


def _parted(text: str) -> tuple[list[str], str]:
    """Lines that declare, and all others."""
    lines = text.splitlines()
    declares = [bool(_DECLARED.match(line)) for line in lines]
    heads = [line for line, head in zip(lines, declares, strict=True) if head]
    return heads, "\n".join(line for line, head in zip(lines, declares, strict=True) if not head)


def inlined(parent: str, instance: str, child: str) -> str:
    """The text of `parent` in which the contents of module `child` stand in place of an instance.

    The child's signals keep their names where the parent has none of that name, and get the
    instance's name before theirs elsewhere; the child's own instances keep their names. Signals
    that yosys named by numbers get others, so that no proof takes them for those of the same
    numbers elsewhere.
    """
    parent = re.sub(r"\b_(\d+)_(?!\w)", r"_parents_\1_", parent)
    header = re.search(rf"^  \w+ {re.escape(instance)} \(\n(.*?)^  \);\n", parent, re.M | re.S)
    assert header is not None, f"no instance {instance}"
    declared = _DECLARED.findall(child)
    taken = {name for _, name in _DECLARED.findall(parent)}
    names = {
        name: f"{instance}__{name.lstrip(chr(92))}" if name in taken or _NUMBERED(name) else name
        for _, name in declared
    }
    names = {name: new if _PLAIN(new) else f"\\{new}" for name, new in names.items()}

    def renamed(found: re.Match[str]) -> str:
        token = found[0]
        new = names.get(token, token)
        return f"{new} " if new.startswith("\\") and not token.startswith("\\") else new

    lines = child.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.endswith(");")) + 1
    kept = [line for line in lines[begin:-1] if not re.match(r"  (input|output)\b", line)]
    # A name after a dot is a port of one of the child's own instances.
    body = re.sub(r"(?<![.'\w\\$])(?:\\\S+|[A-Za-z_][\w$]*)", renamed, "\n".join(kept))
    ways = {name: kind for kind, name in declared if kind in ("input", "output")}
    joined = []
    for port, outside in _PORT.findall(header[1]):
        inside = names[port.strip()]
        left, right = (inside, outside) if ways[port.strip()] == "input" else (outside, inside)
        joined.append(f"  assign {left} = {right} ;")
    return parent.replace(header[0], "\n".join([body, *joined, ""]))


def with_names_of(before: str, after: str) -> str:
    """`after` with registers called as in `before` that can be no others.

    A register that only one side has is taken for one that only the other has if both are alone of
    their width and initial value. A proof must show that it is: it compares registers by names.
    """
    registers = [
        {name: (width, value) for width, name, value in _REGISTER.findall(text)}
        for text in (before, after)
    ]
    only = [
        {name: form for name, form in ours.items() if name not in theirs}
        for ours, theirs in (registers, registers[::-1])
    ]
    for name, form in only[0].items():
        alike = [other for other, shape in only[1].items() if shape == form]
        alone = len(alike) == 1 and list(only[0].values()).count(form) == 1
        if alone and not re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", after):
            after = re.sub(rf"(?<![\w$\\.]){re.escape(alike[0])}(?![\w$])", name, after)
    return after
