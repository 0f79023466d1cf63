"""The tables of operators of docs/models.md, made of the registry and of what was observed."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from compiler.frontends.onnx import loader as onnx_loader
from compiler.frontends.tflite import loader as tflite_loader
from tests.campaigns.operators.observe import MICRO, ORT, OWN, TWIN
from tests.campaigns.operators.places import ORDER
from tests.support.packages import ROOT

REGISTRY: Mapping[str, frozenset[str]] = {
    "tflite": tflite_loader.SUPPORTED,
    "onnx": onnx_loader.SUPPORTED,
}
"""What the front ends read, by format."""

RESULTS = ROOT / "docs" / "results" / "operators.json"
ORACLES = ROOT / "docs" / "results" / "oracles.json"
PAGE = ROOT / "docs" / "models.md"
KERNELS = ("reference", "optimised")
"""Two of LiteRT's sets of kernels."""
NONE = "–"
_MARKED = re.compile(r"<!-- table: ((?:operators|oracles) \w+) -->\n.*?<!-- end -->", re.DOTALL)
_TYPES = ("int8", "uint8", "int16", "uint16", "int32", "int64", "float32", "bool", "")

Record = Mapping[str, Any]


def tables(kept: Mapping[str, Any], pairs: Mapping[str, Any]) -> dict[str, str]:
    """The Markdown tables by the names of their marks: where operators run, all of them one by
    one in each format, and where interpreters disagree."""
    by_format = {suffix: _by_operator(kept["operators"], suffix) for suffix in REGISTRY}
    origin = f"`{kept['command']}`; docs/results/{RESULTS.name}"
    other = f"`{pairs['command']}`; docs/results/{ORACLES.name}"
    return {
        "operators places": f"{_summary(by_format)}\n\n{origin}",
        "operators tflite": f"{_tflite(by_format['tflite'])}\n\n{origin}",
        "operators onnx": f"{_onnx(by_format['onnx'])}\n\n{origin}",
        "oracles tflite": f"{_pairs(pairs['operators'])}\n\n{other}",
    }


def rendered(page: str, made: Mapping[str, str]) -> str:
    """The page with its marked tables replaced; `KeyError` for a mark without a table."""
    return _MARKED.sub(lambda m: f"<!-- table: {m[1]} -->\n{made[m[1]]}\n<!-- end -->", page)


def write_page() -> None:
    """Writes the tables into the page from the kept results."""
    made = tables(*(json.loads(path.read_text(encoding="utf-8")) for path in (RESULTS, ORACLES)))
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")


def _by_operator(records: Iterable[Record], suffix: str) -> dict[str, list[Record]]:
    """The records of every operator that the registry has, in alphabetical order."""
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record["format"] == suffix:
            found[record["operator"]].append(record)
    return {
        operator: sorted(found[operator], key=_place_in_table)
        for operator in sorted(REGISTRY[suffix], key=str.lower)
    }


def _summary(by_format: Mapping[str, Mapping[str, Sequence[Record]]]) -> str:
    """The operators of each place, an operator at each place where it was seen."""
    lines = ["| runs on | TFLite | ONNX |", "|---|---|---|"]
    for place in ORDER:
        cells = [
            ", ".join(
                operator
                for operator, records in by_format[suffix].items()
                if any(place in record["places"] for record in records)
            )
            for suffix in ("tflite", "onnx")
        ]
        lines.append(f"| {place} | {' | '.join(cell or NONE for cell in cells)} |")
    return "\n".join(lines)


def _pairs(records: Sequence[Record]) -> str:
    """The operators of which LiteRT gave another result or none, by its kind of kernels."""
    heads = ("operator", "type", "files", "values", *(f"LiteRT, {kind}" for kind in KERNELS))
    lines = [f"| {' | '.join(heads)} |", "|---|---|---|---|---|---|"]
    for one in sorted(records, key=_place_in_table):
        if any(one[kind] for kind in KERNELS):
            said = " | ".join(_said(one[kind]) for kind in KERNELS)
            head = f"{one['operator']} | {one['type']} | {one['files']} | {one['values']:,}"
            lines.append(f"| {head} | {said} |")
    return "\n".join(lines)


def _place_in_table(record: Record) -> tuple[str, int]:
    """Operators in the order of all these tables, and the types of each in theirs."""
    return record["operator"].lower(), _TYPES.index(record["type"])


def _said(tally: Record) -> str:
    parts = []
    if tally.get("differ"):
        parts.append(f"{tally['values']:,} differ in {_files(tally['differ'])}")
    if tally.get("not run"):
        parts.append(f"{_files(tally['not run'])} not run")
    return ", ".join(parts) or "equal"


def _files(count: int) -> str:
    return f"{count} file{'s' * (count != 1)}"


def _tflite(operators: Mapping[str, Sequence[Record]]) -> str:
    lines = ["| operator | runs on | TensorFlow Lite Micro | its int8 twin | values of a test |"]
    lines.append("|---|---|---|---|---|")
    for operator, records in operators.items():
        cells = [_types(records, oracle) for oracle in (MICRO, TWIN)]
        cells.append(_alone(records))
        lines.append(f"| {operator} | {_places(records)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _onnx(operators: Mapping[str, Sequence[Record]]) -> str:
    lines = ["| operator | runs on | ONNX Runtime | files |", "|---|---|---|---|"]
    for operator, records in operators.items():
        files = sum(record["oracles"].get(ORT, 0) for record in records)
        lines.append(f"| {operator} | {_places(records)} | {_types(records, ORT)} | {files} |")
    return "\n".join(lines)


def _places(records: Sequence[Record]) -> str:
    """Every place, in order; types in brackets where a place is not for all of them."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    types = [record["type"] for record in records]
    for record in records:
        for place in record["places"]:
            places[place].append(record["type"])
    shown = []
    for place in ORDER:
        if place in places:
            some = [name for name in places[place] if name]
            every = len(places[place]) == len(types)
            shown.append(place if every or not some else f"{place} ({', '.join(some)})")
    return ", ".join(shown) or NONE


def _types(records: Sequence[Record], oracle: str) -> str:
    """The types in which files were compared with an oracle."""
    found = [record["type"] or "files" for record in records if record["oracles"].get(oracle)]
    return ", ".join(found) or NONE


def _alone(records: Sequence[Record]) -> str:
    """The types that are compared with nothing but values that a test states."""
    found = [
        record["type"]
        for record in records
        if record["type"] and not Counter(record["oracles"]).keys() - {OWN}
    ]
    return ", ".join(found) or NONE
