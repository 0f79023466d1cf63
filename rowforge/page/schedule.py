"""The schedule as the page's script draws it: `schedule`."""

from collections.abc import Sequence
from typing import Any

from rowforge.tracing.events import LAYERS, UNITS, layer_times
from sim.cycles.trace import LEVELS, Trace


def schedule(found: Trace, names: Sequence[str]) -> dict[str, Any]:
    """Tracks of slices.

    Keys: `cycles`; `layers`, their names; `tracks`, each with `name`, `unit` (what its slices
    count) and `slices`: rows of first cycle, cycle after the last, layer (-1: none), amount, and
    how many slices it stands for.
    """
    times = [[begin, end, layer, end - begin, 1] for layer, begin, end in layer_times(found)]
    tracks: list[dict[str, Any]] = [{"name": LAYERS, "unit": "cycles", "slices": times}]
    for track, (name, unit) in UNITS.items():
        if track in LEVELS:
            continue
        slices = [
            [begin, end, layer if 0 <= layer < len(names) else -1, amount, merged]
            for _, begin, end, amount, _, layer, _, _, merged in found.of(track).tolist()
        ]
        if slices:
            tracks.append({"name": name, "unit": unit, "slices": slices})
    return {"cycles": found.cycles, "layers": list(names), "tracks": tracks}
