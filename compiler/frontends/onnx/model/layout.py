"""How a tensor of the model lies in memory: transposes and reshapes as bookkeeping.

ONNX tensors are channels-first, the accelerator's are channels-last. Instead of moving values, the
front end remembers for each tensor which axes of the stored array make up each axis of the model's
tensor; a transpose permutes that list, a reshape splits and regroups it.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """`sizes` are the stored axes, outermost first, none of size 1; `axes` lists, for every axis of
    the model's tensor, the stored axes it consists of, major first (none: size 1)."""

    sizes: Shape
    axes: tuple[Shape, ...]

    @classmethod
    def stored_as(cls, shape: Shape, order: Shape) -> "Layout":
        """A tensor of this model shape whose axes are stored in `order`, outermost first."""
        kept = [axis for axis in order if shape[axis] > 1]
        place = {axis: index for index, axis in enumerate(kept)}
        axes = tuple((place[axis],) if axis in place else () for axis in range(len(shape)))
        return cls(tuple(shape[axis] for axis in kept), axes)

    @classmethod
    def plain(cls, shape: Shape) -> "Layout":
        """The model's own order."""
        return cls.stored_as(shape, tuple(range(len(shape))))

    @classmethod
    def channels_last(cls, shape: Shape) -> "Layout":
        """Axis 1, the channels, innermost."""
        if len(shape) < 3:
            return cls.plain(shape)
        return cls.stored_as(shape, (0, *range(2, len(shape)), 1))

    @property
    def shape(self) -> Shape:
        """The model's shape."""
        return tuple(prod(self.sizes[part] for part in axis) for axis in self.axes)

    @property
    def order(self) -> Shape:
        """The stored axes in the model's order."""
        return tuple(part for axis in self.axes for part in axis)

    def runs_in(self, order: Shape) -> bool:
        """Whether the model's axes, taken in `order`, are the stored values in sequence."""
        parts = [part for axis in order for part in self.axes[axis]]
        return parts == list(range(len(self.sizes)))

    def same_as(self, other: "Layout") -> bool:
        """Whether two tensors of one shape store their values in the same sequence."""
        if self.shape != other.shape:
            return False
        fine = self._refined(other), other._refined(self)
        return fine[0] is not None and fine[1] is not None and fine[0]._runs() == fine[1]._runs()

    def _refined(self, other: "Layout") -> "Layout | None":
        """This layout with its stored axes split as finely as the other's."""
        return self.reshape(tuple(size for _, size in other._runs()))

    def transpose(self, permutation: Shape) -> "Layout":
        """Axis i of the result is axis permutation[i]."""
        return Layout(self.sizes, tuple(self.axes[axis] for axis in permutation))

    def reshape(self, shape: Shape) -> "Layout | None":
        """The same values under another model shape, None where stored axes cannot be split so."""
        runs = self._runs()
        pieces = [[size] for _, size in runs]  # of each run, major first
        wanted: list[list[tuple[int, int]]] = []  # of each new axis: (run, piece)
        queue = [(number, size) for number, (_, size) in enumerate(runs)]
        for size in shape:
            parts: list[tuple[int, int]] = []
            while size > 1:
                if not queue:
                    return None
                number, left = queue[0]
                if size % left == 0:
                    queue.pop(0)
                    taken = left
                elif left % size == 0:
                    taken = size
                    pieces[number][-1:] = [taken, left // taken]
                    queue[0] = (number, left // taken)
                else:
                    return None
                parts.append((number, len(pieces[number]) - (1 if taken == left else 2)))
                size //= taken
            wanted.append(parts)
        if queue:
            return None
        stored = sorted(range(len(runs)), key=lambda number: runs[number][0])
        first: dict[int, int] = {}
        sizes: list[int] = []
        for number in stored:
            first[number] = len(sizes)
            sizes += pieces[number]
        axes = tuple(tuple(first[number] + piece for number, piece in axis) for axis in wanted)
        return Layout(tuple(sizes), axes)

    def _runs(self) -> list[tuple[int, int]]:
        """(first stored axis, size) of the values that lie together, in the model's order."""
        runs: list[tuple[int, int]] = []
        before = -2
        for part in self.order:
            if part == before + 1:
                runs[-1] = (runs[-1][0], runs[-1][1] * self.sizes[part])
            else:
                runs.append((part, self.sizes[part]))
            before = part
        return runs

    def to_storage(self, array: Array) -> Array:
        """An array of the model's shape as it is stored, with the shape of `tensor_form`."""
        shape, permutation, _ = self.tensor_form()
        if permutation is None:
            return np.ascontiguousarray(array).reshape(shape)
        moved = tuple(shape[axis] for axis in permutation)
        return array.reshape(moved).transpose(np.argsort(permutation)).copy(order="C")

    def tensor_form(self) -> tuple[Shape, Shape | None, Shape | None]:
        """(shape, permutation, model_shape) of a graph tensor, see `compiler.ir.graph.Tensor`."""
        pieces = self._pieces()
        order = sorted(range(len(pieces)), key=lambda piece: pieces[piece][0])
        shape = tuple(pieces[piece][1] for piece in order)
        permutation = tuple(int(place) for place in np.argsort(order))
        plain = permutation == tuple(range(len(order)))
        model_shape = self.shape if len(pieces) != len(self.axes) else None
        return shape, None if plain else permutation, model_shape

    def _pieces(self) -> list[tuple[tuple[float, int], int]]:
        """(sort key, size) of the parts of every model axis that lie together, in model order.

        An axis of size 1 may be stored anywhere: the batch goes first, the channels of an image
        last, others stay where they are in the model.
        """
        order = (0, *range(2, len(self.axes)), 1)
        if len(self.axes) in (3, 4) and self.runs_in(order):
            return [((float(order.index(a)), a), n) for a, n in enumerate(self.shape)]
        pieces: list[tuple[tuple[float, int], int]] = []
        before = -1.0
        for number, axis in enumerate(self.axes):
            if not axis:
                pieces.append(((-1.0 if number == 0 else before, number), 1))
                continue
            run = [axis[0]]
            for part in (*axis[1:], None):
                if part is not None and part == run[-1] + 1:
                    run.append(part)
                    continue
                pieces.append(((float(run[0]), number), prod(self.sizes[p] for p in run)))
                before = float(run[-1])
                run = [part] if part is not None else []
        return pieces
