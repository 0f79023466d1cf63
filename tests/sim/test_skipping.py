"""The cycle model with zeros that take no time: masks, densities, refusals; no RTL is simulated."""

from dataclasses import replace

import numpy as np
import pytest

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from sim.cycles import predict
from sim.functional import FunctionalAccelerator
from sw_driver.runtime import Runtime
from tests.campaigns.contract.compare import compiled
from tests.campaigns.fuzz.cases import CASES, make_case

MASKED = 1  # a case of seed 11 whose array reads ifmaps
SKIPPING = {"pe.kind": "skipping", "pe.zero_gating": True}


def programs(kind: str) -> list[Program]:
    """Programs of random layers with PEs of a kind."""
    found = []
    for number in range(10):
        case = make_case(11, number * CASES)
        config = case.config.with_values({**SKIPPING, "pe.kind": kind})
        try:
            found.append(compiled(replace(case, config=config)))
        except RowforgeError:
            continue
    return found


def test_words_that_are_all_not_zero_take_what_a_dense_pe_takes() -> None:
    pairs = list(zip(programs("dense"), programs("skipping"), strict=True))
    assert len(pairs) > 6
    for dense, skipping in pairs:
        wanted = predict(dense)
        assert predict(skipping).cycles == predict(skipping, density=1).cycles == wanted.cycles
        assert predict(skipping, density=0).cycles <= wanted.cycles


def test_fewer_words_take_fewer_cycles() -> None:
    totals = [
        sum(predict(program, density=share).cycles for program in programs("skipping"))
        for share in (0, 0.3, 0.6, 1)
    ]
    assert sorted(set(totals)) == totals


def test_masks_have_a_bit_for_every_word_that_is_sent() -> None:
    case = make_case(11, MASKED)
    program = compiled(replace(case, config=case.config.with_values(SKIPPING)))
    executor = FunctionalAccelerator(program.config)
    executor.state.keep_masks()
    counters = Runtime(executor, program.config).run(program, case.inputs[0]).counters
    words = sum(counted["ifmap_words_sent"] for counted in counters.values())
    masks = executor.state.mask_stream()
    assert len(masks) == -(-words // 8)
    found = predict(program, masks=masks)
    assert {"gated_macs", "macs"} <= set(found.layers[0])
    with pytest.raises(RowforgeError, match="masks of ifmap words end early"):
        predict(program, masks=masks[: len(masks) // 2])


def test_what_knows_no_zeros_is_refused() -> None:
    dense, skipping = programs("dense")[0], programs("skipping")[0]
    for given in ({"density": 0.5}, {"masks": np.zeros(4, np.uint8)}):
        with pytest.raises(RowforgeError, match='pe.kind must be "skipping".*not "dense"'):
            predict(dense, **given)
    for share in (-0.1, 1.5):
        with pytest.raises(RowforgeError, match="the density must be 0 to 1, not"):
            predict(skipping, density=share)


def test_skipping_and_no_gating_exclude_each_other() -> None:
    with pytest.raises(RowforgeError, match='zero_gating must be true with pe.kind "skipping"'):
        Config.of({**SKIPPING, "pe.zero_gating": False})
