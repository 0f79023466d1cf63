"""The simulated accelerator as a link of the driver."""

import numpy as np
import pytest

from hw.arch.commands import Opcode, begin, command
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.config.identity import identity_words
from rowforge.configs import preset
from sim import link as link_module
from sim.link import RtlLink
from sw_driver.protocol.errors import LinkError

pytestmark = pytest.mark.slow  # the first test may have to build the simulator

CONFIG = preset("tiny")


def words(*parts, config: Config = CONFIG):
    stream = begin(config_hash(config))
    for part in parts:
        stream += command(part)
    return np.array(stream, dtype=np.uint64)


IDENTIFY = words(Opcode.IDENTIFY, Opcode.END)
ANSWER = 1 + len(identity_words(CONFIG)) + 2


@pytest.fixture
def link():
    with_default = RtlLink(CONFIG, patience=20_000)
    yield with_default
    with_default.close()


def test_words_come_in_any_portions(link):
    link.send(IDENTIFY[:2])
    link.send(IDENTIFY[2:])
    answer = np.concatenate([link.receive(1), link.receive(7), link.receive(ANSWER - 8)])
    assert answer[1:-2].tolist() == identity_words(CONFIG)


def test_cycles_count_from_the_programs_begin_and_stand_still_between(link):
    link.send(IDENTIFY)
    link.receive(ANSWER)
    first = link.cycles()
    assert ANSWER < first < 200
    link.send(IDENTIFY)
    link.receive(1)
    link.receive(ANSWER - 1)
    assert abs(link.cycles() - first) <= 2


def test_stalls_change_cycles_and_nothing_else(link):
    link.send(IDENTIFY)
    quick = link.receive(ANSWER)
    slow = RtlLink(CONFIG, stall_seed=5)
    slow.send(IDENTIFY)
    np.testing.assert_array_equal(slow.receive(ANSWER), quick)
    assert slow.cycles() > 1.5 * link.cycles()


def test_results_that_cannot_come_are_reported_and_the_link_lives_on(link):
    link.send(IDENTIFY)
    with pytest.raises(LinkError, match="of"):
        link.receive(ANSWER + 1)
    link.send(IDENTIFY)
    assert link.receive(ANSWER)[1:-2].tolist() == identity_words(CONFIG)


def test_a_program_that_ends_early_leaves_nothing_behind(link):
    other = Config.of({"array.rows": 2})
    link.send(words(Opcode.IDENTIFY, Opcode.END, config=other))
    link.receive(2)  # refused: the hash is another configuration's
    link.send(IDENTIFY)
    assert link.receive(ANSWER)[1:-2].tolist() == identity_words(CONFIG)


def test_progress_is_told(link):
    seen = []
    talking = RtlLink(CONFIG, progress=seen.append)
    talking.send(IDENTIFY)
    talking.receive(ANSWER)
    assert seen
    assert seen[-1] <= talking.cycles()


@pytest.mark.parametrize("name", ["run.vcd", "run.fst"])
def test_waveforms_take_a_library_that_writes_their_format(monkeypatch, tmp_path, name):
    builds = []
    monkeypatch.setattr(
        link_module, "cached_build", lambda parts, make, build: builds.append(build)
    )
    monkeypatch.setattr(link_module, "RtlEngine", lambda library, seed, trace: trace)
    RtlLink(CONFIG, trace=tmp_path / name)
    RtlLink(CONFIG)
    assert [build.trace for build in builds] == [name.rpartition(".")[2], None]
