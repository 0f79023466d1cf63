"""The post-processor: every mode beside 32-bit results, with stalls on both streams."""

from random import Random
from typing import Any

import cocotb

from hw.arch.commands import Rounding
from hw.arch.config import Config
from hw.arch.config.modes import rounding_modes
from hw.post.items import item_layout
from hw.post.layouts import PARAM_LAYOUT, buffer_write_layout, processor_config_layout
from tb import codec
from tb.bus import Bench, Sink, Source, read_case, stall_rates
from tb.models.post import ENTRY, PostItem, expected_writes, layer_of, make_items


async def _fill_parameters(bench: Bench, config: Config, items: list[PostItem]) -> None:
    """The rows that the items use, one entry a cycle."""
    rows = config.post.channels // config.post.units
    row_bits = max(1, (rows - 1).bit_length())
    unit_bits = (config.post.units - 1).bit_length()
    port = bench.dut.params
    for item in {item.row: item for item in items}.values():
        for unit, (_, *values) in enumerate(item.vectors):
            entry = dict(zip(ENTRY, values, strict=False))
            data = codec.encode(PARAM_LAYOUT, entry)
            port.value = (
                1 | item.row << 1 | unit << (1 + row_bits) | data << (1 + row_bits + unit_bits)
            )
            await bench.step()
    port.value = 0


def _stored(config: Config, write: dict[str, int], bits: str) -> tuple[int, dict[int, int]]:
    """Address and the bytes that a write stores."""
    size = config.array.data_width // 8
    data = bits[: config.buffer.width]  # the last member of the layout
    found = {}
    for byte in range(config.buffer.width // 8):
        if write["mask"] >> (byte // size) & 1:
            end = len(data) - 8 * byte
            found[byte] = int(data[end - 8 : end], 2)
    return write["addr"], found


@cocotb.test()
@cocotb.parametrize(stall=stall_rates(0.0, 0.4))
async def modes(dut: Any, stall: float) -> None:
    """Results of two layers in flight, one of them with 32-bit outputs."""
    case = read_case()
    config = Config.from_dict(case["config"])
    bench = Bench(dut, seed=case["seed"], probe=0.2 if stall else 0.0)
    shape = buffer_write_layout(config)
    items = Source(
        dut, "items", item_layout(config, config.array.psum_width), seed=case["seed"], stall=stall
    )
    writes = Sink(dut, "writes", None, seed=case["seed"], stall=stall)
    bench.add(items, writes)
    dut.params.value = 0
    await bench.start()
    for mode in sorted(rounding_modes(config) - {Rounding.RAW}):
        random = Random(repr((case["seed"], int(mode))))
        layers = [layer_of(m, config.array.data_width) for m in (mode, Rounding.RAW)]
        sent = make_items(config, layers, random, case["items"])
        layout = processor_config_layout(config)
        fields = [codec.encode(layout, layer.fields()) for layer in layers]
        dut.cfg.value = fields[0] | fields[1] << layout.size
        await _fill_parameters(bench, config, sent)
        writes.received.clear()
        items.items.extend(item.payload() for item in sent)
        await bench.run(lambda: items.idle, limit=100 * len(sent))
        await bench.idle(2)  # the last item shows in `busy`
        await bench.run(lambda: not int(dut.busy.value), limit=1000)
        got = [_stored(config, codec.decode(shape, bits), bits) for bits in writes.values]
        assert got == expected_writes(config, layers, sent), mode
