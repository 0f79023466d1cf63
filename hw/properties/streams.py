"""Property 3: what a stream offers stays as it is until it is taken."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from amaranth.lib import stream, wiring

from hw.base.block import Block
from hw.engines.psum_reader import PsumReader
from hw.link.width import WordAssembler, WordSplitter
from hw.noc.collector import ColumnCollector
from hw.noc.feeder import ColumnFeeder
from hw.pe.dense import DensePE
from hw.post.packer import Packer
from hw.properties.harness.bench import ProofBench
from hw.properties.harness.property import Property
from hw.vector.address import WindowWalker
from hw.vector.lanes import LaneReducer

# Blocks whose streams may wait. Queues, readers and buses have the rule among their own properties.
# Ports of the global buffer are no streams in this sense: a request may change until it is granted.
_KEEPING = (
    ColumnCollector,
    ColumnFeeder,
    DensePE,
    LaneReducer,
    Packer,
    PsumReader,
    WindowWalker,
    WordAssembler,
    WordSplitter,
)


@dataclass(frozen=True)
class StreamsHold(Property):
    """A block, made anew from the arguments of one in the design."""

    number = 3
    title = "a stream keeps what it offers until it is taken"
    bound = 10

    key: Hashable
    original: Block = field(compare=False, repr=False)

    @classmethod
    def of(cls, block: Block) -> Iterator["StreamsHold"]:
        if isinstance(block, _KEEPING):
            yield cls(block.module_key, block)

    @property
    def subject(self) -> str:
        return type(self.original).__name__

    def build(self, bench: ProofBench) -> None:
        arguments, named = self.original._arguments
        block = type(self.original)(*arguments, **named)
        bench.place(block)
        for name, one, given in _streams(block):
            if given:
                bench.polite(one, name)
            else:
                bench.steady(one, name)


def _streams(block: Block) -> Iterator[tuple[str, stream.Interface, bool]]:
    """Name and interface of each stream of a block, and whether it brings something."""
    for name, member in block.signature.members.items():
        if not member.is_signature or not isinstance(member.signature, stream.Signature):
            continue
        port = getattr(block, name)
        given = member.flow is wiring.In
        if member.dimensions:
            for index, one in enumerate(port):
                yield f"{name}_{index}", one, given
        else:
            yield name, port, given
