"""What the counters that depend on time must at least agree on."""

from hw.arch.accesses import counter_block
from hw.arch.commands import ResultBlock
from hw.arch.config import Config
from tb.models.result_words import block_places

_STALLS = ("stall_ifmap", "stall_filter", "stall_psum_in", "stall_psum_out")


def check_counters(config: Config, got: list[int], expected: list[int]) -> None:
    """Counter blocks of result words against the executor's, and against each other.

    Words on the link are counted before the decoder takes them: one header may be early. The first
    block also counts the end of the program before.
    """
    block = counter_block(config)
    places = block_places(expected, ResultBlock.COUNTERS)
    moved = block_places(expected, ResultBlock.DATA)
    for number, place in enumerate(places):
        counted = block.unpack(got[place])
        _check_steps(config, counted)
        if number:
            wanted = block.unpack(expected[place])
            for name in ("link_in_words", "link_out_words"):
                assert abs(counted[name] - wanted[name]) <= 1, (name, counted, wanted)
            data = moved[number - 1]
            words = data.stop - data.start
            most = words * 64 // config.array.data_width
            assert words * 64 // config.buffer.width <= counted["glb_act_write_words"] <= most, (
                counted
            )


def _check_steps(config: Config, counted: dict[str, int]) -> None:
    """A running PE issues a step, or lacks one thing; no more happens than can in the cycles."""
    steps, rest = divmod(counted["macs"], config.pe.macs)
    assert rest == 0, counted
    ifmap, filters, psum_in, psum_out = (counted[name] for name in _STALLS)
    lacking = steps + ifmap + filters
    assert lacking <= counted["pe_active_cycles"] <= lacking + psum_in + psum_out, counted
    assert (
        counted["pe_active_cycles"] <= counted["cycles"] * config.array.rows * config.array.cols
    ), counted
    assert counted["gated_macs"] <= counted["macs"], counted
    for name in ("glb_ifmap_words", "glb_psum_write_beats", "glb_act_write_words", "filter_words"):
        assert counted[name] <= counted["cycles"], counted
    if steps:
        assert counted["cycles"] > steps // (config.array.rows * config.array.cols), counted
