"""What memories are asked for, and with which timings a chip must find fault."""

from dataclasses import dataclass, replace

from hw.arch.sdram import CHIPS
from sim.memory.bench import BurstTraffic
from sim.memory.cases import MemoryCase, RamCase, SdramCase

X16 = SdramCase.of(CHIPS["x16_32mb"], clock=50e6)
X32 = SdramCase.of(CHIPS["x32_8mb"], clock=60.75e6)

MEMORIES: dict[str, MemoryCase] = {
    "x16, 50 MHz": X16,
    "x32, 60.75 MHz": X32,
    "x16, 100 MHz": SdramCase.of(CHIPS["x16_32mb"], clock=100e6, phase=270.0),
    "x32, 27 MHz, clock in phase": SdramCase.of(CHIPS["x32_8mb"], clock=27e6, phase=0.0),
    "ram, latency 1": RamCase(words=1 << 12, latency=1),
    "ram, latency 2": RamCase(words=1 << 12, latency=2),
    "ram, latency 8": RamCase(words=1 << 12, latency=8),
    "ram, latency 64": RamCase(words=1 << 12, latency=64),
}
"""The first two are the boards'."""

TRAFFIC = {
    "anywhere": BurstTraffic(bursts=0),
    "clients": BurstTraffic(bursts=0, areas=6, sequential=600, pauses=300, stalls=100),
    "neighbours": BurstTraffic(bursts=0, areas=12, sequential=300, pauses=800, stalls=500),
    "one place": BurstTraffic(bursts=0, areas=1, pauses=100, stalls=50),
    "three clients": BurstTraffic(
        bursts=0, areas=6, sequential=600, pauses=300, stalls=100, shared=True
    ),
}
"""How bursts are spread, each the same number of them."""

BURST_BEATS = 128  # of the pins


def full_bursts(case: SdramCase) -> dict[str, BurstTraffic]:
    """Bursts of `BURST_BEATS` beats of the chip's pins, asked for without a pause."""
    words = BURST_BEATS // case.chip.beats
    return {
        f"{order}, {kind}": BurstTraffic(
            bursts=2000, beats=words, sequential=1000 * (order == "sequential"), writes=writes
        )
        for order in ("sequential", "anywhere")
        for kind, writes in (("reads", 0), ("writes", 1000), ("both", 500))
    }


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A wrong timing, and the rule that is broken: one of `KINDS`, or "words".

    The first request comes after `delay` cycles.
    """

    case: SdramCase
    breaks: str
    delay: int = 0


def faults() -> dict[str, Fault]:
    """A controller for each of its times, which it does not keep."""

    def wrong(breaks: str, case: SdramCase = X32, **values: int) -> Fault:
        return Fault(case=replace(case, timing=replace(case.timing, **values)), breaks=breaks)

    # At 27 MHz a row is closed sooner after it was opened than after data were written.
    slow = SdramCase.of(replace(CHIPS["x32_8mb"], row_active=150.0), clock=27e6)
    reopening = SdramCase.of(replace(CHIPS["x32_8mb"], row_cycle=200.0), clock=60.75e6)
    timing = X32.timing
    return {
        "PRECHARGE": wrong("tRP", precharge=timing.precharge - 1),
        "ACTIVATE": wrong("tRCD", activate=timing.activate - 1),
        "write recovery": wrong("tWR", recover=timing.recover - 1),
        "row active": wrong("tRAS", slow, recover=slow.timing.recover - 2),
        "row cycle": wrong("tRC", reopening, recover=reopening.timing.recover - 1),
        "refresh": wrong("tRFC", refresh=timing.refresh - 1),
        # Refreshes so often that one is due when the mode has just been set, before any request.
        "mode": replace(wrong("tMRD", interval=5, power_up=2430, mode=1), delay=70_000),
        "refreshes too late": wrong("refresh late", interval=round(1.1 * 64e-3 * X32.clock / 4096)),
        "too early a start": wrong("power-up", power_up=timing.power_up - 1),
        "too few initial refreshes": wrong("initialisation", power_up=7),
        "capture too early": wrong("words", capture=timing.capture - 1),
        "capture too late": wrong("words", capture=timing.capture + 1),
    }
