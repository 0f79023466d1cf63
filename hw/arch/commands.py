"""The command stream: headers, opcodes and descriptors, word by word.

A program is a stream of 64-bit words. It starts with `MAGIC` and a `BEGIN` descriptor; every other
command is a header word, a descriptor of fixed length, and a payload of `length` words. The engine
answers with result blocks, each a header word (`RESULT`) and `length` words.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from hw.arch.fields import Field, Struct

COMMAND_SET_VERSION = 6

MAGIC = int.from_bytes(b"ROWFORGE", "little")
"""The word that starts a program; after an error the engine discards words until it sees it."""

ANY_CONFIGURATION = 0
"""As the hash in BEGIN: a program for any hardware, which may only IDENTIFY and END."""

ADDRESS = 20  # bits of a buffer word address, and of a psum beat address
TAG = 10  # bits of a multicast column tag
ID = 6  # bits of a multicast row tag, a segment or a filter number
CHANNEL = 13  # bits of a channel number
LOOPS = 6  # loops of the pass nest, outermost first


class Opcode(IntEnum):
    """What a command does."""

    END = 1  # wait until all is done, then answer with a status block
    ROWS = 2  # payload: row patterns
    COLS = 3  # payload: column patterns
    PARAMS = 4  # payload: requantisation parameters
    TABLE = 5  # payload: element tables of ADD
    LOAD = 6  # payload: words into the global buffer
    STORE = 7  # words of the global buffer into a data block, or a coded one
    CONV = 8  # walk the passes of a convolution; payload: filters
    VECTOR = 9  # element-wise operation or pooling on the global buffer
    COUNTERS = 10  # answer with a counter block, then clear the counters
    IDENTIFY = 11  # answer with the identity block
    MEMORY = 12  # payload: words into the weight memory
    SHORT_PARAMS = 13  # payload: requantisation parameters in half the words


class ResultBlock(IntEnum):
    """What a result block holds."""

    STATUS = 1
    DATA = 2
    COUNTERS = 3
    IDENTITY = 4
    CODED = 5  # data, as a code
    MEMORY = 6
    RUN = 7


class Status(IntEnum):
    """How a program ended; the second word of a status block is the offending value.

    From 16 on they are of the replayer, where there is a memory.
    """

    OK = 0
    UNKNOWN_COMMAND = 1
    BAD_CHECKSUM = 2
    BAD_LENGTH = 3
    BAD_ADDRESS = 4
    BAD_VERSION = 5
    BAD_CONFIGURATION = 6
    WATCHDOG = 7
    BAD_FIELD = 8
    BAD_CODE = 9
    BAD_IMAGE = 16
    BAD_RECORD = 17
    BAD_MESSAGE = 18
    BAD_BLOCK = 19
    BAD_RANGE = 20
    BAD_MEMORY = 21


HEADER = Struct(
    "header",
    (
        Field("opcode", 5, "what to do (`Opcode`)"),
        Field("fence", 1, "start only when all earlier work is done"),
        Field("older", 2, "0, or start only when every CONV but so many newest ones is done"),
        Field("stored", 1, "start only when every STORE is done"),
        Field("tag", 16, "layer number, repeated in result blocks"),
        Field("length", 23, "payload words after the descriptor"),
        Field("checksum", 16, "folded sum of the header (with 0 here) and the descriptor words"),
    ),
    "The first word of a command.",
)

RESULT = Struct(
    "result",
    (
        Field("block", 8, "what follows (`ResultBlock`)"),
        Field("status", 8, "how it ended (`Status`); 0 in other blocks"),
        Field("tag", 16, "tag of the command that made the block"),
        Field("length", 24, "words after this one"),
    ),
    "The first word of a result block.",
)

BEGIN = Struct(
    "begin",
    (
        Field("version", 16, "command-set version"),
        Field("hash", 64, "hash of the configuration that the program was made for"),
    ),
    "Follows `MAGIC`: what the program expects of the hardware.",
)

INDEX = Struct(
    "index",
    (
        Field("first", 24, "first entry that the payload fills (pattern, row, table or word)"),
        Field("count", 24, "entries (MEMORY: words)"),
    ),
    "Descriptor of ROWS, COLS, PARAMS, SHORT_PARAMS, TABLE and MEMORY.",
)

REGION = Struct(
    "region",
    (
        Field("address", ADDRESS, "first buffer word"),
        Field("run", 16, "consecutive words in a row"),
        Field("rows", 16, "rows in a plane"),
        Field("planes", 11, "planes"),
        Field("patient", 1, "LOAD: results of the array always go first"),
        Field("row_stride", ADDRESS, "words from row to row"),
        Field("plane_stride", ADDRESS, "words from plane to plane"),
        Field("words", 21, "64-bit words that the box takes on the link"),
        Field(
            "coded",
            1,
            "with `link.coding`: LOAD's payload is a code of these words; STORE, whose payload is "
            "`CODE`, answers with one if it is shorter",
        ),
        Field(
            "channels", 2, "LOAD: channels of a pixel, which follow without gaps; 0: whole words"
        ),
    ),
    "Descriptor of LOAD and STORE: a box of buffer words, row by row, plane by plane.",
)

CODE = Struct(
    "code",
    (
        Field("zero", 16, "the value that the code leaves out, as it is stored"),
        Field("blocks", 11, "channel blocks, each a plane, of an item"),
        Field("lanes", 5, "lanes of an item's last block that hold channels; others are left out"),
    ),
    "Payload of a STORE that may be answered with a code.",
)

OUTPUT = (
    Field("mode", 3, "rounding mode (`Rounding`)"),
    Field("param", 16, "parameter memory row of output channel 0 (wraps)"),
    Field("zero_point", 10, "added to the requantised value", signed=True),
    Field("low", 17, "lower clamp", signed=True),
    Field("high", 17, "upper clamp", signed=True),
    Field("plane", ADDRESS, "words from channel block to channel block of the output"),
)
"""How results are requantised and placed: shared by CONV and VECTOR."""


class Rounding(IntEnum):
    """How an accumulator becomes an output."""

    TFLM = 0  # gemmlowp double rounding
    ORT = 1  # float32 product, ties to even
    SINGLE = 2  # one rounding, half up
    WIDE16 = 3  # 16-bit data: shift rounded half up, saturate
    DIVIDE = 4  # average pooling: division, half away from zero
    RAW = 5  # 32-bit results
    AFFINE = 6  # fixed-point product and an addend, ties to even
    SCALE16 = 7  # 16-bit data: a sum of up to 41 bits by a 16-bit multiplier, half up


CONSTANTS = Struct(
    "conv_constants",
    (
        Field("psums", 8, "psums of a window in a PE (filters, or channels x multiplier)"),
        Field("steps", 8, "multiply steps for one ifmap word"),
        Field("taps", 8, "ifmap words in a window (q.S)"),
        Field("advance", 8, "ifmap words from window to window (q.min(U,S))"),
        Field("channels", 8, "ifmap words in a pixel (q)"),
        Field("diagonal", 1, "depthwise: every channel has psums of its own"),
        Field("odd", 1, "two multipliers a PE: the second psum of a word's last step is dropped"),
        Field("window_shift", 5, "right shift of a product (16-bit data)"),
        Field("weight_zero", 9, "weight zero point", signed=True),
        Field("weight_signed", 1, "stored weights are signed"),
        Field("windows", 16, "windows in a row (F)", on_map=True),
        Field("filter_beats", 12, "filter beats of a PE in a pass"),
        Field("pixel_outer", 16, "outer pixel steps in a row", on_map=True),
        Field("pixel_step", 16, "pixels between outer steps", on_map=True),
        Field("pixel_inner", 16, "consecutive pixels in an outer step", on_map=True),
        Field("pixel_beats", 8, "ifmap beats in a pixel"),
        Field("height", 16, "ifmap rows that exist (others are padding)", on_map=True),
        Field("width", 16, "ifmap columns that exist", on_map=True),
        Field("plane_stride", ADDRESS, "words from channel block to channel block of the ifmap"),
        Field("zero", 16, "ifmap zero point", signed=True),
        Field("signed", 1, "stored activations are signed"),
        Field("items", 8, "batch items side by side in the columns"),
        Field("tap_stride", 9, "`cells`: words from tap to tap"),
        Field("item_tag", TAG, "column tags from item to item"),
        Field("item_stride", ADDRESS, "words from item to item of the ifmap"),
        Field("psum_beats", 8, "psum beats of a window"),
        Field("pixel_words", 12, "output words from window to window"),
        *OUTPUT,
        Field("after", 1, "earlier commands hold partial sums: never start at zero"),
        Field("before", 1, "later commands add to the sums: never finish"),
        Field("accumulate", LOOPS, "loops that run over channels and filter rows (bit l: loop l)"),
        Field("held", LOOPS, "loops over which filters stay in the PEs (bit l: loop l)"),
        Field("reuse", 1, "the PEs still hold the filters of the command before: none are sent"),
        Field("keep", 1, "no pass releases its filters: the next command reuses them"),
        Field("resident", 1, "filters come from the weight memory"),
        Field("buffered", 1, "filters come from the global buffer"),
        Field("sync", 1, "the first pass reads ifmaps only when all earlier work is done"),
        Field(
            "group_stride",
            ADDRESS,
            "`buffered`: words from column tag to column tag; `cells`: from cell to cell",
        ),
        Field("unit_jump", ADDRESS, "`buffered`: words added where a pattern's row tags turn"),
        Field("cells", 1, "`buffered`: a PE's filters lie in cells, see `group_stride`"),
    ),
    "What is the same in all passes of a CONV command.",
)

BASES = Struct(
    "bases",
    (
        Field("ifmap", ADDRESS, "ifmap word address of tag 0, first pixel"),
        Field("y", 16, "ifmap row of tag 0", signed=True, on_map=True),
        Field("x", 16, "ifmap column of the first pixel", signed=True, on_map=True),
        Field("psum", ADDRESS, "psum beat address"),
        Field("output", ADDRESS, "output word address"),
        Field("channel", CHANNEL, "first output channel of the pass"),
        Field("rows", 8, "row pattern"),
        Field("columns", 8, "column pattern"),
        Field("weights", 24, "weight memory word, or buffer word, of the filters"),
    ),
    "What changes from pass to pass. All of them wrap: a step backwards is a large number.",
)

LOOP = Struct(
    "loop",
    (*BASES.fields, Field("count", 16, "iterations")),
    "A loop of the pass nest: what the bases gain when it steps and the inner loops start over.",
)


START = Struct(
    "conv_start",
    (
        *BASES.fields,
        Field(
            "loops", 3, "LOOP records that follow, innermost first; other loops have a count of 1"
        ),
        Field(
            "constants", 1, "the constants and these loops follow; 0: those of the CONV before stay"
        ),
        Field(
            "decoded",
            23,
            "with `link.coding`: the payload is a code of so many words; 0: it is not coded",
        ),
    ),
    "How CONV begins: the bases of its first pass, and what follows them.",
)


class VectorOp(IntEnum):
    """What a VECTOR command computes."""

    ADD = 0  # table[left] + table[right]
    MUL = 1  # (left - zero) * (right - zero)
    MAX = 2  # maximum of a window
    SUM = 3  # sum of a window less its zero points
    ADD16 = 4  # 16-bit data: left + right


VECTOR = Struct(
    "vector",
    (
        Field("op", 4, "operation (`VectorOp`)"),
        Field("signed", 1, "stored operands are signed"),
        Field("blocks", 12, "channel blocks"),
        Field("rows", 16, "output rows (E)", on_map=True),
        Field("columns", 16, "output columns (F)", on_map=True),
        Field("window_rows", 12, "window height (R); 1 for ADD and MUL"),
        Field("window_columns", 12, "window width (S)"),
        Field("stride_y", 12, "vertical stride"),
        Field("stride_x", 12, "horizontal stride"),
        Field("y", 16, "first input row of windows (negative: padding)", signed=True, on_map=True),
        Field("x", 16, "input column of the first window", signed=True, on_map=True),
        Field("height", 16, "input rows that exist", on_map=True),
        Field("width", 16, "input columns that exist", on_map=True),
        Field("left", ADDRESS, "word address of the (left) operand at row 0, column 0"),
        Field("right", ADDRESS, "word address of the right operand"),
        Field("row_stride", ADDRESS, "words from input row to row"),
        Field("plane_stride", ADDRESS, "words from input channel block to block"),
        Field("right_row_stride", ADDRESS, "the same for the right operand"),
        Field("right_plane_stride", ADDRESS, "the same for the right operand"),
        Field("left_zero", 16, "zero point of the (left) operand", signed=True),
        Field("right_zero", 16, "zero point of the right operand", signed=True),
        Field("output", ADDRESS, "output word address"),
        Field("output_row_stride", ADDRESS, "words from output row to row"),
        Field("by_count", 1, "SUM: parameter row is `param` + (pixels in the window) - 1"),
        Field("by_channel", 1, "parameter row follows the channel"),
        *OUTPUT,
    ),
    "Descriptor of VECTOR.",
)

DESCRIPTOR_WORDS: Mapping[Opcode, int] = {  # of CONV the most, see `descriptor_words`
    Opcode.END: 0,
    Opcode.ROWS: INDEX.words,
    Opcode.COLS: INDEX.words,
    Opcode.PARAMS: INDEX.words,
    Opcode.TABLE: INDEX.words,
    Opcode.LOAD: REGION.words,
    Opcode.STORE: REGION.words,
    Opcode.CONV: START.words + CONSTANTS.words + LOOPS * LOOP.words,
    Opcode.VECTOR: VECTOR.words,
    Opcode.COUNTERS: 0,
    Opcode.IDENTIFY: 0,
    Opcode.MEMORY: INDEX.words,
    Opcode.SHORT_PARAMS: INDEX.words,
}


def descriptor_words(opcode: Opcode, following: Sequence[int]) -> int:
    """Words of a command's descriptor; `following` are those after the header.

    Of CONV at least `START.words` if that are all: the rest is not known before.
    """
    if opcode is not Opcode.CONV:
        return DESCRIPTOR_WORDS[opcode]
    if len(following) < START.words:
        return START.words
    start = START.unpack(following)
    return START.words + start["constants"] * (CONSTANTS.words + start["loops"] * LOOP.words)


def checksum(header: int, descriptor: Sequence[int]) -> int:
    """16-bit checksum of a command: every 16-bit quarter of header and descriptor added mod 2^16.

    The header's own checksum field counts as 0.
    """
    every = 0x0000_FFFF_0000_FFFF  # two quarters of a word, with room for the sum's carries
    words = header & ~(0xFFFF << HEADER.offsets["checksum"]), *descriptor
    total = sum((word & every) + (word >> 16 & every) for word in words)
    return (total + (total >> 32)) & 0xFFFF


def command(
    opcode: Opcode, descriptor: Sequence[int] = (), *, length: int = 0, tag: int = 0, **waits: int
) -> list[int]:
    """Header and descriptor words of a command whose payload of `length` words follows.

    `waits`: the header's flags `fence`, `older` and `stored`.
    """
    fields = {"opcode": opcode, "tag": tag & 0xFFFF, "length": length, **waits}
    header = HEADER.pack(fields)[0]
    return [header | checksum(header, descriptor) << HEADER.offsets["checksum"], *descriptor]


def begin(config_hash: int) -> list[int]:
    """The words that start a program."""
    return [MAGIC, *BEGIN.pack({"version": COMMAND_SET_VERSION, "hash": config_hash})]
