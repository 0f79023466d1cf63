"""A program as the C runtime reads it: a header, tables of records, a pool, and a CRC-32.

Everything is 64-bit words, so that the same words serve as a file, as an array in a C source, and
in a flash memory. A *position* is the number of a word from the program's first one on. After the
header come the tables, one after another: tensors, inputs and outputs (a tensor's number in a word
each), states, steps. The pool after them holds what positions name: command words, constants,
texts (bytes that end with a zero), shapes, walks, host steps and their parameters. The last word is
the CRC-32 of all bytes before it, as in zlib.
"""

from enum import IntEnum

from hw.arch.fields import Field, Struct

C_MAGIC = int.from_bytes(b"ROWFORGC", "little")
C_VERSION = 2

MOST_RANK = 8  # axes of a tensor
LONGEST_NAME = 63  # bytes of the name of a host step or a parameter
NO_INTEGER = -(1 << 63)  # what stands for None in a list of integers
ALIGNMENT = 8  # bytes: where a tensor may begin


class ElementType(IntEnum):
    """The type of a tensor's elements."""

    BOOL = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT32 = 9
    FLOAT64 = 10


class StepKind(IntEnum):
    """What a step does: the first four send, the next four receive a result block."""

    SEND = 1  # words of the pool leave
    PACK = 2  # elements of a tensor leave, in the order of a walk
    RUN = 3  # the message at `first` leaves, with the number of this RUN and its checksum
    AGAIN = 4  # the last RUN's message leaves once more
    TAKE = 5  # a block goes to elements of a tensor, in the order of a walk
    COUNT = 6  # a counter block
    END = 7  # a block that ends a program or a RUN
    COMPARE = 8  # where a block has the words at `first`, the next `skip` steps are left out
    HOST = 9  # the host computes


class ParameterKind(IntEnum):
    """What the values of a parameter are."""

    NOTHING = 0
    INTEGERS = 1  # a signed word each
    REALS = 2  # the bits of a double each
    TEXT = 3


C_PROGRAM = Struct(
    "program",
    (
        Field("magic", 64, "says that this is a program"),
        Field("version", 16, "of the form of programs"),
        Field("command_set", 16, "of the accelerator"),
        Field("tensors", 16, "entries of the table of tensors"),
        Field("inputs", 16, "likewise"),
        Field("outputs", 16, "likewise"),
        Field("states", 16, "likewise"),
        Field("words", 32, "of the program, the checksum included"),
        Field("steps", 32, "entries of the table of steps"),
        Field("once", 32, "the first so many steps fill memories: they are not done for each run"),
        Field("memory", 32, "bytes of working memory"),
    ),
    "How a program begins.",
)

C_TENSOR = Struct(
    "tensor",
    (
        Field("type", 8, "of its elements (`ElementType`)"),
        Field("rank", 8, "axes"),
        Field("spare", 16, "0"),
        Field("elements", 32, "how many it has"),
        Field("place", 32, "first byte in the working memory"),
        Field("shape", 32, "position of the sizes of its axes, one a word"),
        Field("constant", 32, "position of its elements, as bytes in order; 0: it is computed"),
        Field("zero_point", 32, "of its quantisation", signed=True),
        Field("scale", 64, "the bits of a double"),
    ),
    "A tensor of the program.",
)

C_STATE = Struct(
    "state",
    (
        Field("read", 16, "the tensor in which a run finds it"),
        Field("write", 16, "the tensor in which it leaves what the next run finds"),
    ),
    "A value that lives from run to run.",
)

C_STEP = Struct(
    "step",
    (
        Field("kind", 8, "what to do (`StepKind`)"),
        Field("block", 8, "what comes (`ResultBlock`)"),
        Field("tensor", 16, "PACK, TAKE: whose elements"),
        Field("layer", 24, "COUNT: the layer, -1: of no single one", signed=True),
        Field("clear", 1, "TAKE: the tensor is set to 0 before"),
        Field("repeated", 1, "END: the block has come before, and its cycles are counted"),
        Field("first", 32, "position of the words, the walk, or the host step"),
        Field("count", 32, "words that leave, or that come after the block's header"),
        Field("after", 32, "the blocks of so many first steps must be there before"),
        Field("skip", 32, "COMPARE: steps that are left out"),
    ),
    "A step of the program.",
)

C_WALK = Struct(
    "walk",
    (
        Field("offset", 32, "the first element"),
        Field("items", 32, "outermost"),
        Field("rows", 32, "innermost but two"),
        Field("columns", 32, "innermost but one"),
        Field("channels", 32, "innermost, cut into blocks of lanes that follow the items"),
        Field("lanes", 32, "elements of a block; those after the last channel are 0"),
        Field("item_stride", 32, "elements from item to item"),
        Field("row_stride", 32, "elements from row to row"),
        Field("column_stride", 32, "elements from column to column"),
    ),
    "The order of elements in link words: item, block of channels, row, column, lane.",
)

C_HOST = Struct(
    "host",
    (
        Field("name", 32, "position of the name"),
        Field("inputs", 16, "tensors, whose numbers follow in a word each"),
        Field("outputs", 16, "likewise, after the inputs"),
        Field("parameters", 16, "`parameter` records, after the outputs"),
    ),
    "A step of the host.",
)

C_PARAMETER = Struct(
    "parameter",
    (
        Field("name", 32, "position of the name"),
        Field("kind", 8, "what its values are (`ParameterKind`)"),
        Field("spare", 24, "0"),
        Field("count", 32, "values"),
        Field("first", 32, "position of the first value; TEXT: of the text"),
    ),
    "A parameter of a host step.",
)

C_RECORDS = (C_PROGRAM, C_TENSOR, C_STATE, C_STEP, C_WALK, C_HOST, C_PARAMETER)
C_ENUMS = (ElementType, StepKind, ParameterKind)
