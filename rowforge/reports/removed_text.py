"""What a report says about channels that the compiler removed."""

from collections.abc import Mapping
from typing import Any


def removed_text(document: Mapping[str, Any]) -> list[str]:
    """A heading and a line for each layer that lost channels: how many, and why; [] for none."""
    rows = [row for row in document["layers"] if row.get("removed")]
    if not rows:
        return []
    macs = sum(row["removed"]["macs"] for row in rows)
    heading = f"removed channels, with {macs:,} MACs (--keep-constant-channels computes them):"
    return [heading, *(f"  {row['name']}: {_sentence(row['removed'])}" for row in rows)]


def _sentence(removed: Mapping[str, int]) -> str:
    parts, reasons = [], []
    if removed["constant"]:
        reasons.append(f"{removed['constant']} constant")
    if removed["unread"]:
        reasons.append(f"{removed['unread']} read by no filter")
    if reasons:
        count = removed["constant"] + removed["unread"]
        parts.append(f"{count} of {removed['channels']} channels ({', '.join(reasons)})")
    if removed["inputs"]:
        parts.append(f"{removed['inputs']} of its inputs")
    if removed["macs"]:
        parts.append(f"{removed['macs']:,} MACs")
    return ", ".join(parts)
