"""Distributor and gatherer between played clusters: words arrive once, answers in order."""

import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from amaranth.hdl import Module, ResetInserter
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator

from hw.arch.commands import (
    ANY_CONFIGURATION,
    MAGIC,
    RESULT,
    Opcode,
    ResultBlock,
    Status,
    begin,
    checksum,
    command,
)
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.routes import Rectangle, RouteKind, route
from hw.mesh.distributor import Distributor
from hw.mesh.gatherer import ResultGatherer

CONFIG = Config.from_dict({"clusters": {"y": 2, "x": 2}, "control": {"watchdog": 64}})
COUNT = CONFIG.clusters.count
COLUMNS = CONFIG.clusters.x
HEAD = begin(config_hash(CONFIG))
ALL = Rectangle((0, 2), (0, 2))
ANSWER, END, FAIL = 1 << 40, 2 << 40, 3 << 40  # words that a played cluster answers
MOST = 3000


def block(kind, words, status=0):
    return [*RESULT.pack({"block": kind, "status": status, "length": len(words)}), *words]


@dataclass
class Played:
    """A cluster: it answers to some words, and keeps all that it takes."""

    number: int
    taken: list[int] = field(default_factory=list)
    answers: deque[int] = field(default_factory=deque)

    def take(self, word):
        self.taken.append(word)
        kind, length = word >> 40 << 40, word & 0xFF
        if kind == ANSWER:
            values = [self.number << 8 | i for i in range(length)]
            self.answers += block(ResultBlock.DATA, values)
        elif kind == END or word == command(Opcode.END)[0]:
            self.answers += block(ResultBlock.STATUS, [0])
        elif kind == FAIL:
            self.answers += block(ResultBlock.STATUS, [self.number], Status.BAD_LENGTH)


def run(words, wanted, *, seed=0, rate=1.0):
    """What each cluster takes, and the results, of which so many are `wanted`."""
    m = Module()
    m.submodules.distributor = distributor = Distributor(CONFIG)
    gatherer = ResultGatherer(clusters=COUNT)
    m.submodules.gatherer = ResetInserter(distributor.flush)(gatherer)
    for ours, theirs in (("expect", "expect"), ("fetch", "fetch"), ("report", "report")):
        connect(m, getattr(distributor, ours), getattr(gatherer, theirs))
    connect(m, gatherer.copied, distributor.copied)
    m.d.comb += [distributor.failed.eq(gatherer.failed), distributor.idle.eq(gatherer.idle)]
    clusters = [Played(number) for number in range(COUNT)]
    rng, given, results = random.Random(seed), deque(words), []

    async def bench(ctx):
        offering, presenting, ready = False, [False] * COUNT, [False] * COUNT
        for _ in range(MOST):
            offering = bool(given) and (offering or rng.random() < rate)
            ctx.set(distributor.command.valid, offering)
            ctx.set(distributor.command.payload, given[0] if given else 0)
            ready = [was or rng.random() < rate for was in ready]  # as of a queue
            wants = rng.random() < rate
            ctx.set(gatherer.result.ready, wants)
            for n, cluster in enumerate(clusters):
                presenting[n] = bool(cluster.answers) and (presenting[n] or rng.random() < rate)
                ctx.set(distributor.clusters[n].ready, ready[n])
                ctx.set(gatherer.blocks[n].valid, presenting[n])
                ctx.set(gatherer.blocks[n].payload, cluster.answers[0] if presenting[n] else 0)
            accepted = offering and ctx.get(distributor.command.ready)
            moved = accepted
            for n, cluster in enumerate(clusters):
                if presenting[n] and ctx.get(gatherer.blocks[n].ready):
                    cluster.answers.popleft()
                    presenting[n], moved = False, True
            taking = []
            for n in range(COUNT):
                if ctx.get(distributor.clusters[n].valid):
                    assert ready[n], "a word is given to a cluster that is not ready"
                    taking.append((n, ctx.get(distributor.clusters[n].payload)))
            if wants and ctx.get(gatherer.result.valid):
                results.append(ctx.get(gatherer.result.payload))
                moved = True
            ctx.set(distributor.moving, bool(moved or taking))
            flush = ctx.get(distributor.flush)
            await ctx.tick()
            if accepted:
                given.popleft()
                offering = False
            for n, word in taking:
                clusters[n].take(word)
                ready[n] = False
            if flush:
                for n, cluster in enumerate(clusters):
                    cluster.answers.clear()
                    presenting[n] = False
            if not given and len(results) >= wanted and not any(c.answers for c in clusters):
                return
        pytest.fail(f"{len(given)} words were not taken, {len(results)} results came")

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return [cluster.taken for cluster in clusters], results


def inside(target):
    return [n for n in range(COUNT) if divmod(n, COLUMNS) in target]


def random_target(rng):
    rows, columns = (sorted(rng.sample(range(n + 1), 2)) for n in (2, 2))
    return Rectangle(tuple(rows), tuple(columns))


def random_program(rng):
    """(words, what each cluster must take, results)."""
    words, taken, results = list(HEAD), [list(HEAD) for _ in range(COUNT)], []
    for _ in range(14):
        kind = rng.choice([RouteKind.WORDS, RouteKind.ANSWERED, RouteKind.COPIED])
        target, some = random_target(rng), [rng.randrange(1 << 16) for _ in range(rng.randrange(4))]
        source = rng.randrange(COUNT)
        numbers = inside(target)
        if kind is RouteKind.COPIED:
            numbers = [n for n in numbers if n != source]
            if not numbers:
                continue
            length = rng.randrange(1, 6)
            words += [route(RouteKind.WORDS, Rectangle.single(*divmod(source, COLUMNS)), 1)]
            words += [ANSWER | length]
            taken[source].append(ANSWER | length)
            copied = [source << 8 | i for i in range(length)]
        else:
            copied = []
        if kind is RouteKind.ANSWERED:
            length = rng.randrange(1, 6)
            some.append(ANSWER | length)
            for n in numbers:
                results += block(ResultBlock.DATA, [n << 8 | i for i in range(length)])
        words += [route(kind, target, len(some), divmod(source, COLUMNS)), *some]
        for n in numbers:
            taken[n] += some + copied
    words += [route(RouteKind.LAST, ALL, 1), END]
    for each in taken:
        each.append(END)
    return words, taken, results + block(ResultBlock.STATUS, [0])


@pytest.mark.parametrize("seed", range(3))
def test_words_and_answers_arrive_once_and_in_order(seed):
    rng = random.Random(seed)
    programs = [random_program(rng) for _ in range(2)]
    words = [word for each, _, _ in programs for word in each]
    results = [word for _, _, each in programs for word in each]
    found, answered = run(words, len(results), seed=seed, rate=(1.0, 0.5, 0.3)[seed])
    assert answered == results
    for n in range(COUNT):
        assert found[n] == [word for _, taken, _ in programs for word in taken[n]]


def test_an_error_of_a_cluster_ends_the_program_and_the_next_one_runs():
    at = Rectangle.single(1, 1)
    wrong = [*HEAD, route(RouteKind.WORDS, at, 1), FAIL]
    right, taken, results = random_program(random.Random(9))
    error = block(ResultBlock.STATUS, [3], Status.BAD_LENGTH)
    found, answered = run([*wrong, 5, 6, 7, *right], len(error + results))
    assert answered == error + results
    assert [each[-len(t) :] for each, t in zip(found, taken, strict=True)] == taken


BEYOND = route(RouteKind.WORDS, Rectangle((0, 3), (0, 1)), 0)
TO_ITSELF = route(RouteKind.COPIED, Rectangle.single(1, 1), 0, (1, 1))
WRONG = {
    Status.BAD_VERSION: [([MAGIC, 0xFFFF, 0], 0xFFFF)],
    Status.BAD_CONFIGURATION: [(begin(7), 7)],
    Status.BAD_ADDRESS: [([*HEAD, word], word) for word in (BEYOND, TO_ITSELF)],
    Status.BAD_CHECKSUM: [
        ([*HEAD, word ^ 1 << 50], checksum(word, ()))
        for word in (route(kind, ALL, 1) for kind in RouteKind)
    ],
}


def test_streams_that_cannot_be_right_are_refused_and_the_next_program_runs():
    words, results = [], []
    for status, streams in WRONG.items():
        for stream, value in streams:
            words += [*stream, 5, 6]
            results += block(ResultBlock.STATUS, [value], status)
    right, taken, answers = random_program(random.Random(9))
    found, answered = run(words + right, len(results + answers))
    assert answered == results + answers
    assert [each[-len(t) :] for each, t in zip(found, taken, strict=True)] == taken


@pytest.mark.parametrize("kind", [RouteKind.WORDS, RouteKind.ANSWERED, RouteKind.COPIED])
def test_words_or_answers_that_do_not_come_end_the_program(kind):
    """Words of the stream, a block for the host, a block for other clusters."""
    _, answered = run([*HEAD, route(kind, ALL, kind is RouteKind.WORDS)], 2)
    assert answered == block(ResultBlock.STATUS, [0], Status.WATCHDOG)


def test_a_program_for_any_configuration_is_for_the_first_cluster():
    words = [*begin(ANY_CONFIGURATION), ANSWER | 3, *command(Opcode.END)]
    results = block(ResultBlock.DATA, [0, 1, 2]) + block(ResultBlock.STATUS, [0])
    found, answered = run(words + words, 2 * len(results))
    assert answered == results + results
    assert found == [words + words, *[[]] * (COUNT - 1)]
