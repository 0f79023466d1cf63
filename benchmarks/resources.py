"""What the preset of the published chip holds beside the chip: computed from the configuration."""

from collections.abc import Iterator

from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.deep_queue import DeepQueue
from hw.glb.ports import Reader
from rowforge.reports.texttable import Column, Row, markdown_table

CHIP_PES = 168  # of one multiplier each

_KIB = 1024
COLUMNS = (
    Column("resource", "name", left=True),
    Column("chip", "chip"),
    Column("preset", "ours"),
)
FIFO_COLUMNS = (
    Column("FIFO", "name", left=True),
    Column("how many", "count"),
    Column("words each", "each"),
    Column("words", "words"),
)


def resources(config: Config) -> list[Row]:
    """Rows of chip and preset; spads in words of a PE, both halves of the filters together."""
    buffer = config.buffer.banks * config.buffer.depth * config.buffer.width // 8
    rows = (
        ("multipliers", CHIP_PES, config.multipliers),
        ("ifmap spad, words a PE", 12, config.pe.ifmap_spad),
        ("filter spad, words a PE", 224, config.pe.filter_spad),
        ("psum spad, words a PE", 24, config.pe.psum_spad),
        ("buffer with filter prefetch, kB", 108, (buffer + config.buffer.filter_prefetch) // _KIB),
        ("ifmap network, words a cycle", 1, config.noc.ifmap),
        ("filter network, words a cycle", 4, config.noc.filter),
        ("psum network in, words a cycle", 4, config.noc.psum_in),
        ("psum network out, words a cycle", 4, config.noc.psum_out),
    )
    return [{"name": name, "chip": chip, "ours": ours} for name, chip, ours in rows]


def fifos(config: Config) -> list[Row]:
    """Every FIFO of the array and of the buffer's readers, in words of `array.data_width` bits."""
    rows = [
        {"name": name, "count": count, "each": each, "words": count * each}
        for name, count, each in _fifos(config)
    ]
    return [*rows, {"name": "all", "words": sum(row["words"] for row in rows)}]


def _fifos(config: Config) -> Iterator[tuple[str, int, int]]:
    pes = config.array.rows * config.array.cols
    width = config.array.data_width
    yield "ifmap, at the entry of a PE", pes, config.pe.ifmap_fifo * config.noc.ifmap
    psum = config.array.psum_width * config.pe.macs // width
    yield "psums, at the exit of a PE", pes, config.pe.psum_fifo * psum
    for name, beat in (("in", config.noc.psum_in), ("out", config.noc.psum_out)):
        words = config.noc.column_fifo * beat * config.array.psum_width // width
        yield f"psums {name}, at the end of a column", config.array.cols, words
    if config.control.pipeline:
        yield "ifmap, before the Y bus", 1, 2 * config.noc.ifmap
        yield "filters, before the Y bus", 1, 2 * config.noc.filter
        yield "results, before the buffer", 1, 2 * config.lanes
    if config.noc.pipeline:
        yield "ifmap, at an X bus", config.array.rows, 2 * config.noc.ifmap
        yield "filters, at an X bus", config.array.rows, 2 * config.noc.filter
    word = config.buffer.width // width
    yield "words read from the buffer: ifmap, results", 2, Reader.DEPTH * word
    yield "words read from the buffer: psums", 1, Reader.DEPTH * word * config.banks_per_beat
    yield "filters, after the prefetch buffer", 1, DeepQueue.AHEAD * LINK_WORD_BITS // width


def resource_tables(config: Config) -> str:
    """Both tables."""
    return (
        f"{markdown_table(COLUMNS, resources(config))}\n\n"
        f"{markdown_table(FIFO_COLUMNS, fifos(config))}\n\n"
        f"`python -m benchmarks.performance --render`"
    )
