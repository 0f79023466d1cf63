"""Decides where every tensor lives while the operators run one after the other."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from math import ceil
from typing import TypeVar, cast

from compiler.operators.convolve import ConvOperation
from compiler.operators.operation import Operand, Operation, Shape4, whole
from compiler.schedule.chunk_pipeline import ChunkPipeline
from compiler.schedule.chunks import ChunkTiling, good_enough
from compiler.schedule.clusters import TileSharing
from compiler.schedule.filter_store import hold_filters
from compiler.schedule.goal import Figure, Goal
from compiler.schedule.kept_tilings import kept_chunks, kept_tiling
from compiler.schedule.space import Space
from compiler.schedule.tile_pipeline import TilePipeline
from compiler.schedule.tiling import COMMAND_WORDS, Tiling, full_size, part_words
from compiler.stream.stream import StreamBuilder
from compiler.stream.surface import Surface, surface_words
from compiler.stream.traffic import Transfers
from hw.arch.errors import RowforgeError

# By how much bands must win. Not in their figure is that filters of later layers, which come while
# this one computes, then find less of the link idle.
_WORTH_BANDS = 1.25

_T = TypeVar("_T", Tiling, ChunkTiling)
MAX_BANKS = 64  # the most that `buffer.banks` allows


@dataclass
class Value:
    """A tensor of the program during scheduling.

    tensor : index of its host tensor; shape : its view
    on_host : the host has it; surface : where it is resident, if it is
    uses : positions of the operators that will read it on the array, in order
    keep : the host must have it in the end
    """

    key: str
    tensor: int
    shape: Shape4
    raw: bool = False
    on_host: bool = False
    surface: Surface | None = None
    uses: list[int] = field(default_factory=list)
    keep: bool = False

    @property
    def part(self) -> Operand:
        """All of the resident tensor."""
        assert self.surface is not None
        return Operand(whole(self.shape), self.surface)


class Scheduler:
    """Runs operators on the stream, keeping tensors resident while there is space."""

    def __init__(self, stream: StreamBuilder, goal: Goal) -> None:
        self.stream, self.goal = stream, goal
        self.config = stream.config
        self.space = Space(stream.config)
        self.sharing = TileSharing(stream)
        self._values: dict[str, Value] = {}
        self._tilings: dict[Hashable, Tiling | ChunkTiling | None] = {}

    # ---- operators ----------------------------------------------------------------------------

    def run(
        self, position: int, operation: Operation, operands: Sequence[Value], output: Value
    ) -> int:
        """Computes `output`, which is then resident, on the host, or both; returns the tiles."""
        for value in (*operands, output):
            self._values[value.key] = value
        count = 1
        if bands := self._bands(position, operation, operands, output):
            count = self._run_tiling(operation, operands, output, bands)
        elif not self._whole(position, operation, operands, output):
            count = self._tiled(position, operation, operands, output)
        self._release(position, (*operands, output))
        return count

    def to_host(self, value: Value) -> None:
        """Makes sure that the host has a tensor."""
        if value.on_host:
            return
        assert value.surface is not None
        self.sharing.scattered.store(value.tensor, whole(value.shape), value.surface)
        value.on_host = True

    def _release(self, position: int, values: Sequence[Value]) -> None:
        for value in values:
            value.uses = [use for use in value.uses if use > position]
            if value.keep and value.surface is not None:
                self.to_host(value)
            if not value.uses and value.surface is not None:
                self._drop(value)

    def _drop(self, value: Value) -> None:
        if value.surface is not None:
            self.sharing.scattered.forget(value.surface)
        value.surface = None
        self.space.free(value.key)

    def _evict(self, value: Value) -> None:
        """Frees a resident tensor's space; the host keeps it if it is still needed."""
        if value.uses or value.keep:
            self.to_host(value)
        self._drop(value)

    # ---- everything in the buffer -------------------------------------------------------------

    def _whole(
        self, position: int, operation: Operation, operands: Sequence[Value], output: Value
    ) -> bool:
        """All operands and the output resident at once, evicting others if that suffices."""
        if operation.target[3] > operation.most_channels:
            return False
        missing = list({v.key: v for v in operands if v.surface is None}.values())
        sizes = [self._words(value) for value in (*missing, output)]
        busy = {value.key for value in operands}
        while True:
            found = self._fit(operation, sizes)
            if found is not None:
                break
            victim = self._victim(busy, position)
            if victim is None or sum(sizes) > self.space.limit(0):
                return False
            self._evict(victim)
        addresses, beats = found
        for value, address in zip((*missing, output), addresses, strict=True):
            value.surface = Surface.dense(self.config, address, value.shape, raw=value.raw)
            self.space.take(value.key, address, self._words(value))
        for value in missing:
            assert value.surface is not None
            self.stream.load(value.tensor, whole(value.shape), value.surface)
        parts = [value.part for value in operands]
        surface = output.surface
        assert surface is not None
        if isinstance(operation, ConvOperation):
            tile = whole(operation.target)
            computing = operation.cycles(full_size(operation), beats)
            hold_filters(
                self.stream,
                self.goal,
                operation,
                [(tile, parts, surface)],
                (self.space.top, self.space.limit(0)),
                beats,
                Transfers(),
                computing,
            )
        self.sharing.emit(operation, whole(operation.target), parts, surface, beats, stays=True)
        return True

    def _bands(
        self, position: int, operation: Operation, operands: Sequence[Value], output: Value
    ) -> Tiling | None:
        """Tiles of an output that stays, if they are better than an operand that comes whole.

        They are where the operand is the host's, as a network's input is: a band is loaded while
        the array computes the one before. Nobody else reads the operand, and nothing is resident.
        """
        if not isinstance(operation, ConvOperation) or len(operands) != 1:
            return None
        (operand,) = operands
        alone = operand.surface is None and not self.space.residents()
        if not alone or max(operand.uses, default=position) > position:
            return None
        free = self.space.limit(0) - self._words(output)
        found = self._fit(operation, [self._words(operand), self._words(output)])
        if free < 0 or found is None or operation.target[3] > operation.most_channels:
            return None
        kept = (False, True)
        tiling = self._remembered(
            (operation.signature, kept, free),
            partial(kept_tiling, self.space, operation, kept, free, self.goal),
        )
        size, beats = full_size(operation), found[1]
        fetched = operation.fetched(size, beats)
        moves = Transfers(
            filters=fetched.filters,
            exposed=self._words(operand) + COMMAND_WORDS,
            tensors=self._words(operand),
            reads=fetched.reads,
        )
        whole_ = self.goal.figure(moves, operation.cycles(size, beats), fetched.accesses)
        worth = tiling is not None and _WORTH_BANDS * tiling.figure[0] < whole_[0]
        return tiling if worth else None

    def _fit(self, operation: Operation, sizes: list[int]) -> tuple[list[int], int] | None:
        """(addresses for new tensors, psum beats left) if the operator can run so."""
        addresses = self.space.place(sizes)
        if addresses is None:
            return None
        top = max(self.space.top, *(a + size for a, size in zip(addresses, sizes, strict=True)))
        groups = self.space.groups_above(top)
        if groups < 0:
            return None
        beats = self.space.psum_beats(groups)
        if not operation.countable(full_size(operation)):
            return None
        try:
            operation.check(full_size(operation), beats)
        except RowforgeError:
            return None
        return addresses, beats

    def _victim(self, busy: set[str], position: int) -> Value | None:
        """The resident tensor that is needed latest, but none of `busy`."""
        others = [self._values[key] for key in self.space.residents() if key not in busy]
        return max(others, key=lambda v: min(v.uses, default=1 << 30), default=None)

    def _words(self, value: Value) -> int:
        return surface_words(self.config, value.shape, raw=value.raw)

    # ---- tile by tile ---------------------------------------------------------------------------

    def _tiled(
        self, position: int, operation: Operation, operands: Sequence[Value], output: Value
    ) -> int:
        """Bands of operands come from the host, tiles of the output go there."""
        for key in self.space.residents():
            if all(key != value.key for value in operands):
                self._evict(self._values[key])
        # Chunks are computed by every cluster, tiles are shared.
        shared = self.config.clusters.several
        chunks = None if shared else self._chunks(operation)
        tiling = None
        if chunks is None or not self._good_enough(operation, chunks):
            tiling = self._best_tiling(position, operation, operands, output)
        if tiling is None and shared:
            chunks = self._chunks(operation)
        if chunks is not None and (tiling is None or chunks.figure < tiling[0]):
            return self._run_chunks(operation, operands[0], output, chunks)
        if tiling is None:
            raise RowforgeError(self._refusal(operation))
        return self._run_tiling(operation, operands, output, tiling[1])

    def _run_tiling(
        self, operation: Operation, operands: Sequence[Value], output: Value, tiling: Tiling
    ) -> int:
        for value, kept in zip(operands, tiling.resident, strict=False):
            if value.surface is not None and not kept:
                self._evict(value)
            if not kept:
                self.to_host(value)
        if tiling.resident[-1]:
            self._reserve(output)
        return self._run_tiles(operation, operands, output, tiling)

    def _chunks(self, operation: Operation) -> ChunkTiling | None:
        """The best schedule by chunks of channels in an empty buffer."""
        if not isinstance(operation, ConvOperation):
            return None
        return self._remembered(
            (operation.signature, "chunks"),
            lambda: kept_chunks(Space(self.config), operation, self.goal),
        )

    def _good_enough(self, operation: Operation, chunks: ChunkTiling) -> bool:
        assert isinstance(operation, ConvOperation)
        return good_enough(self.goal, operation, chunks)

    def _remembered(self, key: tuple[Hashable, ...], find: Callable[[], _T | None]) -> _T | None:
        """What was found for an operator that costs the same; otherwise it is searched now."""
        if key[0] is None:
            return find()
        if key not in self._tilings:
            self._tilings[key] = find()
        return cast(_T | None, self._tilings[key])

    def _run_chunks(
        self, operation: Operation, operand: Value, output: Value, tiling: ChunkTiling
    ) -> int:
        assert isinstance(operation, ConvOperation)
        if operand.surface is not None:
            self._evict(operand)
        self.to_host(operand)
        tensors = (operand.tensor, output.tensor)
        count = ChunkPipeline(self.stream, operation, tiling, tensors, self.space).run()
        output.on_host = True
        return count

    def _reserve(self, output: Value) -> None:
        addresses = self.space.place([self._words(output)])
        assert addresses is not None
        output.surface = Surface.dense(self.config, addresses[0], output.shape, raw=output.raw)
        self.space.take(output.key, addresses[0], self._words(output))

    def _best_tiling(
        self, position: int, operation: Operation, operands: Sequence[Value], output: Value
    ) -> tuple[Figure, Tiling] | None:
        """(figure with what it causes elsewhere, the tiling); None if no tile is legal."""
        best: tuple[Figure, Tiling] | None = None
        # An operator may read one tensor several times; then it stays, or goes, for all operands.
        values = {value.key: value for value in operands}
        choices = [
            (True, False) if value.surface is not None else (False,) for value in values.values()
        ]
        for *stays, keep_output in product(*choices, (True, False)):
            resident = dict(zip(values, stays, strict=True))
            kept = (*(resident[value.key] for value in operands), keep_output)
            base = self._top_with(operands, output, kept)
            free = self.space.limit(0) - base
            if free < 0:
                continue
            tiling = self._remembered(
                (operation.signature, kept, free),
                partial(kept_tiling, self.space, operation, kept, free, self.goal),
            )
            if tiling is None:
                continue
            later = self._later(operands, output, kept)
            cost = self.goal.beyond(tiling.figure, later)
            if best is None or cost < best[0]:
                best = (cost, tiling)
        return best

    def _top_with(self, operands: Sequence[Value], output: Value, kept: tuple[bool, ...]) -> int:
        """The first word after what stays resident."""
        top = 0
        for value, stays in zip(operands, kept, strict=False):
            if stays and value.surface is not None:
                top = max(top, value.surface.address + self._words(value))
        return top + (self._words(output) if kept[-1] else 0)

    def _later(self, operands: Sequence[Value], output: Value, kept: tuple[bool, ...]) -> int:
        """Words that evicting operands costs now, and a spilled output costs its next reader."""
        words = 0
        resident = {value.key: (value, stays) for value, stays in zip(operands, kept, strict=False)}
        for value, stays in resident.values():
            if value.surface is not None and not stays and not value.on_host:
                words += self._words(value)
        if not kept[-1] and output.uses:
            words += self._words(output)
        if kept[-1] and output.keep:
            words += self._words(output)
        return words

    def _run_tiles(
        self,
        operation: Operation,
        operands: Sequence[Value],
        output: Value,
        tiling: Tiling,
    ) -> int:
        kept = [
            value.part if stays else None
            for value, stays in zip((*operands, output), tiling.resident, strict=True)
        ]
        tensors = [value.tensor for value in (*operands, output)]
        pipeline = TilePipeline(
            self.sharing, operation, tiling, kept, tensors, self.space, self.goal
        )
        count = pipeline.run()
        if not tiling.resident[-1]:
            output.on_host = True
        return count

    def judge(self, operation: Operation) -> None:
        """Raises what `run` would raise if not even the smallest tile of an operation is legal."""
        size = (1, 1, 1, min(operation.channel_step, operation.target[3]))
        alone = (False,) * (len(operation.sources) + 1)
        groups = self.space.groups_above(sum(part_words(self.config, operation, alone, size)))
        if operation.countable(size) and groups >= 0:
            try:
                operation.check(size, self.space.psum_beats(groups))
                return
            except RowforgeError:
                pass  # chunks of channels take less
        if self._chunks(operation) is None:
            raise RowforgeError(self._refusal(operation))

    def _refusal(self, operation: Operation) -> str:
        """Why no tile is legal: the mapper's own sentence, or the buffer is too small."""
        config = self.config
        size = (1, 1, 1, min(operation.channel_step, operation.target[3]))
        rows, columns = operation.extent(size)
        if not operation.countable(size):
            need = max(rows, columns).bit_length() + 1
            return (
                f"{operation.name}: control.map_bits must be at least {need} (one output pixel "
                f"sees {rows} x {columns} input pixels), not {config.control.map_bits}"
            )
        operation.check(size, self.space.psum_beats(config.psum_groups))
        words = sum(part_words(config, operation, (False,) * (len(operation.sources) + 1), size))
        banks = 2 * config.banks_per_beat + ceil(words / config.buffer.depth)
        field, value, works = "buffer.banks", config.buffer.banks, banks
        if banks > MAX_BANKS or config.buffer.banks >= banks:
            field, value, works = "buffer.depth", config.buffer.depth, 2 * config.buffer.depth
        return (
            f"{operation.name}: {field} must be at least {works} (one output pixel needs {words} "
            f"words besides its psums), not {value}"
        )
