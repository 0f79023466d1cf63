"""What was proven, as text and as JSON."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from hw.arch.errors import RowforgeError
from rowforge.proving.campaign import ProvenProperty
from rowforge.proving.solver import Proof, ProofVerdict
from rowforge.reports.texttable import Column, text_table

_COLUMNS = (
    Column("no.", "number"),
    Column("block", "block", left=True),
    Column("result", "result", left=True),
    Column("claims", "claims"),
    Column("seconds", "seconds", ".1f"),
    Column("with", "reduced", left=True),
)


def proof_table(proven: Sequence[ProvenProperty]) -> str:
    """A line for each property of each block, and a total."""
    rows = [row(one) for one in proven]
    good = sum(one.proof.holds for one in proven)
    total = {
        "block": "total",
        "result": f"{good} of {len(proven)} hold",
        "claims": sum(one.proof.claims for one in proven),
        "seconds": sum(one.proof.seconds for one in proven),
    }
    return text_table(_COLUMNS, [*rows, total])


def failures(proven: Sequence[ProvenProperty]) -> Iterator[str]:
    """A paragraph for each property that fails or is not decided."""
    for one in proven:
        proof = one.proof
        if proof.verdict is ProofVerdict.WRONG:
            yield (
                f"\n{one.demand.subject}: WRONG in cycle {proof.cycles}: not so: {proof.sentence}"
                f"\n  counterexample: {proof.wave}"
            )
        elif proof.verdict is ProofVerdict.UNDECIDED:
            yield f"\n{one.demand.subject}: UNDECIDED: {proof.sentence}"


def row(one: ProvenProperty) -> dict[str, object]:
    """A property and its result as plain values."""
    return {
        "number": one.demand.number,
        "title": one.demand.title,
        "block": one.demand.subject,
        "result": _result(one.proof),
        "claims": one.proof.claims,
        "seconds": round(one.proof.seconds, 1),
        "reduced": one.demand.reduced,
    }


def _result(proof: Proof) -> str:
    if proof.verdict is ProofVerdict.BOUNDED:
        return f"holds for {proof.cycles} cycles"
    return str(proof.verdict.value)


def write_report(path: Path, proven: Sequence[ProvenProperty], **more: object) -> None:
    """Write the rows as JSON, with more about them. Raises `RowforgeError` if that fails."""
    document = {**more, "properties": [row(one) for one in proven]}
    try:
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise RowforgeError(f"cannot write {path}: {error}") from None
