"""Answers of two commits to one request, compared: what is equal, proved, refused, different."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.unchanged.verilog import Comparison, Design, Pair, compare

Answer = Mapping[str, Any]
Verdict = dict[str, Any]
Prover = Callable[[Pair], bool]

EQUAL, PROVED, REFUSED, DIFFERENT = "equal", "proved", "refused", "different"


def refusals(before: Answer, after: Answer) -> Verdict | None:
    """The verdict if a commit refused; None if neither did.

    Both may refuse in other words: fields have other names. Sentences are compared all the same.
    """
    said = before.get("refused"), after.get("refused")
    if said == (None, None):
        return None
    if None in said:
        return {"result": DIFFERENT, "differs": ["only one commit refuses"], "said": list(said)}
    verdict: Verdict = {"result": REFUSED, "same_words": said[0] == said[1]}
    return verdict if said[0] == said[1] else verdict | {"said": list(said)}


def of_design(before: Path, after: Path, top: str, prove: Prover) -> Verdict:
    """Two Verilog files: every module equal, or each that is not proved to be."""
    found = compare(*(Design(path.read_text(encoding="utf-8"), top) for path in (before, after)))
    return of_comparison(found, prove)


def of_comparison(found: Comparison, prove: Prover) -> Verdict:
    """The verdict on a comparison, whose unlike modules are given to a prover."""
    proved, differs = [], []
    if not found.foreign:
        differs.append("text that is taken from others")
    differs += [f"{name}: no part of the design" for name in found.strays]
    for pair in found.unlike:
        if pair.reason:
            differs.append(f"{pair.path}: {pair.reason}")
        elif prove(pair):
            proved.append(pair.path)
        else:
            differs.append(f"{pair.path}: not proved equal")
    result = DIFFERENT if differs else PROVED if proved else EQUAL
    verdict: Verdict = {"result": result, "modules": found.modules}
    if proved:
        verdict["proved"] = proved
    return verdict | {"differs": differs} if differs else verdict


def of_digests(before: Answer, after: Answer) -> Verdict:
    """Programs or estimates: digests by name, of the whole and of what each layer tells.

    What only one commit tells of its layers cannot be compared and is listed.
    """
    differs = []
    if before["cycles"] != after["cycles"]:
        differs.append(f"cycles: {before['cycles']} became {after['cycles']}")
    old, new = before.get("parts", {}), after.get("parts", {})
    differs += [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    old, new = before["layers"], after["layers"]
    differs += [f"layers: {name}" for name in old if name in new and old[name] != new[name]]
    verdict: Verdict = {"result": DIFFERENT if differs else EQUAL, "cycles": after["cycles"]}
    verdict["same_words"] = before["reasons"] == after["reasons"]
    if differs:
        verdict["differs"] = differs
    if only := sorted(old.keys() ^ new.keys()):
        verdict["not_compared"] = only
    return verdict
