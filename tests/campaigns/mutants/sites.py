"""Where a source file can be changed by one operator, constant, comparison, slice or width."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.FloorDiv: "*",
    ast.Div: "*",
    ast.Mod: "//",
    ast.LShift: ">>",
    ast.RShift: "<<",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.BitXor: "&",
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
_WIDTHS = ("bits_for", "ceil_log2", "exact_log2")  # functions that yield the width of a signal
_SHAPES = ("signed", "unsigned", "range")  # functions of a width or a number of values
_TEXTS = (ast.JoinedStr, ast.List, ast.Tuple)


@dataclass(frozen=True, order=True)
class Site:
    """A place, and the text that a mutant has there instead of `old`.

    `begin` and `end` are byte offsets in the file.
    """

    path: str
    begin: int
    end: int
    kind: str
    line: int
    old: str
    new: str

    def apply(self, source: str) -> str:
        """The source with the change."""
        raw = source.encode()
        return (raw[: self.begin] + self.new.encode() + raw[self.end :]).decode()


def sites(path: str, source: str) -> list[Site]:
    """Every change of a file that this module knows, in order of place."""
    return sorted(set(_Finder(path, source).find()))


class _Finder:
    """Walks the statements that do something: no annotations, texts, messages of errors."""

    def __init__(self, path: str, source: str) -> None:
        self._path = path
        self._raw = source.encode()
        self._tree = ast.parse(source)
        starts = [0]
        for line in self._raw.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        self._starts = starts

    def find(self) -> Iterator[Site]:
        """All sites of the file."""
        yield from self._walk(self._tree)

    def _walk(self, node: ast.AST) -> Iterator[Site]:
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
            return
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
            return
        yield from self._here(node)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from self._walk(child)

    def _here(self, node: ast.AST) -> Iterator[Site]:
        match node:
            case ast.BinOp(left=left, right=right, op=op) if type(op) in _OPERATORS:
                if not any(_is_text(side) for side in (left, right)):
                    yield from self._between("operator", left, right, _OPERATORS[type(op)])
            case ast.AugAssign(target=left, value=right, op=op) if type(op) in _OPERATORS:
                if not _is_text(right):
                    yield from self._between("operator", left, right, _OPERATORS[type(op)] + "=")
            case ast.Compare(left=left, comparators=[right], ops=[op]):
                yield from self._between("comparison", left, right, _COMPARISONS[type(op)])
            case ast.BoolOp(op=op, values=[left, right]):
                word = "or" if isinstance(op, ast.And) else "and"
                yield from self._between("operator", left, right, word)
            case ast.UnaryOp(op=ast.Invert() | ast.USub() | ast.Not(), operand=operand):
                yield self._site("operator", node, f"({self._text(operand)})")
            case ast.Constant(value=bool(value)):
                yield self._site("constant", node, str(not value))
            case ast.Constant(value=int(value)):
                yield self._site("constant", node, str(value + 1))
                if value:
                    yield self._site("constant", node, str(value - 1))
            case ast.Slice(lower=lower, upper=upper):
                for bound in (lower, upper):
                    if bound is not None and not isinstance(bound, ast.Constant):
                        yield self._site("slice", bound, f"{self._text(bound)} + 1")
            case ast.Call(func=ast.Name(id=name)) if name in _WIDTHS:
                yield self._site("width", node, f"({self._text(node)} - 1)")
            case ast.Call(func=ast.Name(id=name), args=[only]) if name in _SHAPES:
                if not isinstance(only, ast.Constant | ast.Starred):
                    yield self._site("width", only, f"{self._text(only)} - 1")

    def _between(self, kind: str, left: ast.expr, right: ast.expr, new: str) -> Iterator[Site]:
        """A change of the operator between two operands, brackets left alone."""
        begin, end = self._end(left), self._begin(right)
        between = self._raw[begin:end].decode()
        old = between.strip(" ()\n\\")
        if not old or "#" in between or "(" in old or ")" in old:
            return
        start = begin + len(between[: between.index(old)].encode())
        yield Site(self._path, start, start + len(old.encode()), kind, self._line(start), old, new)

    def _site(self, kind: str, node: ast.AST, new: str) -> Site:
        begin, end = self._begin(node), self._end(node)
        return Site(self._path, begin, end, kind, self._line(begin), self._text(node), new)

    def _text(self, node: ast.AST) -> str:
        return self._raw[self._begin(node) : self._end(node)].decode()

    def _begin(self, node: ast.AST) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.AST) -> int:
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def _line(self, offset: int) -> int:
        return self._raw[:offset].count(b"\n") + 1


def _is_text(node: ast.expr) -> bool:
    """A text or a list, whose sums are none of numbers."""
    return isinstance(node, _TEXTS) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
