"""All clusters, and what distributes words to them and gathers their results."""

from amaranth.hdl import Cat, Module, ResetInserter
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arch.config import LINK_WORD_BITS, Config
from hw.base.block import Block
from hw.mesh.distributor import Distributor
from hw.mesh.gatherer import ResultGatherer
from hw.top.cluster import Cluster


class Mesh(Block):
    """The clusters of a configuration that has several.

    Members
    -------
    command : in, stream of LINK_WORD_BITS
        Words of the program, with routes.
    result : out, stream of LINK_WORD_BITS
        Result blocks, in the order in which the program asks for them.
    """

    def __init__(self, config: Config):
        word = stream.Signature(LINK_WORD_BITS)
        super().__init__({"command": In(word), "result": Out(word)})
        self.config = config

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = self.config.clusters.count
        m.submodules.distributor = distributor = Distributor(self.config)
        gatherer = ResultGatherer(clusters=count)
        m.submodules.gatherer = ResetInserter(distributor.flush)(gatherer)
        connect(m, flipped(self.command), distributor.command)
        connect(m, gatherer.result, flipped(self.result))
        connect(m, distributor.expect, gatherer.expect)
        connect(m, distributor.fetch, gatherer.fetch)
        connect(m, gatherer.copied, distributor.copied)
        connect(m, distributor.report, gatherer.report)
        moving = []
        for number in range(count):
            cluster = Cluster(self.config)
            y, x = divmod(number, self.config.clusters.x)
            m.submodules[f"cluster_{y}_{x}"] = ResetInserter(distributor.flush)(cluster)
            connect(m, distributor.clusters[number], cluster.command)
            connect(m, cluster.result, gatherer.blocks[number])
            moving.append(cluster.moving)
        moved = self.result.valid | (self.command.valid & self.command.ready)
        m.d.comb += [
            distributor.failed.eq(gatherer.failed),
            distributor.idle.eq(gatherer.idle),
            distributor.moving.eq(Cat(*moving).any() | moved),
        ]
        return m
