"""Command streams built by hand: just enough of an assembler for the tests of the executor."""

import numpy as np

from hw.arch import commands
from hw.arch.commands import Opcode, Rounding
from hw.arch.config.file import config_hash
from hw.arch.patterns import COLUMN, COLUMNS, PATTERN, ROW, SEGMENT, SLOT, pack_rows
from hw.arch.program import Box, layout

IDENTITY_PARAM = {"bias": 0, "multiplier": 1 << 30, "shift": 1}  # output = accumulator


class WordStream:
    """Collects the words of a program."""

    def __init__(self, config):
        self.config = config
        self.words = commands.begin(config_hash(config))

    def command(self, opcode, struct=None, values=(), *, payload=(), **options):
        """One command with its payload."""
        descriptor = struct.pack(values) if struct else list(values)
        payload = [int(word) for word in payload]
        self.words += commands.command(opcode, descriptor, length=len(payload), **options)
        self.words += payload
        return self

    def indexed(self, opcode, first, count, payload, **options):
        return self.command(
            opcode, commands.INDEX, {"first": first, "count": count}, payload=payload, **options
        )

    def rows(self, *patterns, first=0, **options):
        """Row patterns: dicts of `filters` and lists `rows`, `slots`, `segments` of field dicts."""
        payload = []
        for pattern in patterns:
            entries = pack_rows([ROW.pack(row) for row in pattern["rows"]])
            for struct, name in ((SLOT, "slots"), (SEGMENT, "segments")):
                for fields in pattern[name]:
                    entries += struct.pack(fields)
            header = {name: len(pattern[name]) for name in ("rows", "slots", "segments")}
            header |= {"words": 1 + len(entries), "filters": pattern.get("filters", 1)}
            payload += [*PATTERN.pack(header), *entries]
        return self.indexed(Opcode.ROWS, first, len(patterns), payload, **options)

    def columns(self, *patterns, first=0, **options):
        """Column patterns: dicts of `groups` and `columns`, a list of field dicts.

        `psum` of column j is j times that of column 1, or 0 in all.
        """
        payload = []
        for pattern in patterns:
            entries = [{"active": 1, **entry} for entry in pattern["columns"]]
            psums = [entry.pop("psum", 0) for entry in entries]
            step = psums[1] if len(psums) > 1 else 0
            assert psums == [step * j for j in range(len(psums))]
            header = {"columns": len(entries), "groups": pattern.get("groups", 1), "psum": step}
            payload += COLUMNS.pack({"words": 1 + len(entries), **header})
            for entry in entries:
                payload += COLUMN.pack(entry)
        return self.indexed(Opcode.COLS, first, len(patterns), payload, **options)

    def params(
        self, bias, multiplier=1 << 30, shift=1, addend=0, *, first=0, short=True, **options
    ):
        """Parameters from row `first` on; by default the output is accumulator + bias.

        `short`: as SHORT_PARAMS, unless there is an addend.
        """
        units = self.config.post.units
        bias = np.atleast_1d(bias)
        bias = np.concatenate([bias, np.zeros(-len(bias) % units, dtype=np.int64)])
        full = [np.resize(np.atleast_1d(value), len(bias)) for value in (multiplier, shift, addend)]
        opcode, payload = Opcode.PARAMS, layout.pack_params(bias, *full)
        brief = layout.short_params(payload) if short else None
        if brief is not None:
            opcode, payload = Opcode.SHORT_PARAMS, brief
        return self.indexed(opcode, first * units, len(bias), payload, **options)

    def load(self, view, address, *, raw=False, **options):
        """A whole tensor view, planes one after another."""
        box = Box(*((0, size) for size in view.shape))
        payload = layout.pack_load(self.config, view, box, raw=raw)
        return self.command(
            Opcode.LOAD,
            commands.REGION,
            self.region(box, address, raw, load=True),
            payload=payload,
            **options,
        )

    def region(self, box, address, raw=False, *, load=False):
        _, rows, columns, _ = layout.box_shape(box)
        return layout.region(
            self.config,
            box,
            address=address,
            row_stride=columns,
            plane_stride=rows * columns,
            raw=raw,
            load=load,
        )

    def load_words(self, words, address, **options):
        """LOAD words as they are, filled up to whole buffer words, from `address` on."""
        width = self.config.buffer.width
        words = [*words, *[0] * (-len(words) * 64 % width // 64)]
        run = len(words) * 64 // width
        region = {"address": address, "run": run, "rows": 1, "planes": 1, "words": len(words)}
        return self.command(Opcode.LOAD, commands.REGION, region, payload=words, **options)

    def store(self, shape, address, *, raw=False, zero=None, **options):
        """A whole tensor; as a code that leaves out the value `zero`, if one is given."""
        box = Box(*((0, size) for size in shape))
        options = {"fence": True, **options}
        region = self.region(box, address, raw)
        if zero is not None:
            region["coded"] = 1
            lanes = (shape[3] - 1) % self.config.lanes + 1
            blocks = layout.channel_blocks(self.config, shape[3])
            code = {"zero": zero, "blocks": blocks, "lanes": lanes}
            options["payload"] = commands.CODE.pack(code)
        return self.command(Opcode.STORE, commands.REGION, region, **options)

    def conv(self, constants, bases=(), loops=(), filters=(), **options):
        """CONV with TFLM requantisation and full int8 range unless told; unused loops count 1.

        `filters`: the stored weights of every pass, in the order in which they are sent.
        """
        config = self.config
        width = config.array.data_width
        beats = -(-constants["taps"] * constants["steps"] * config.pe.macs // config.noc.filter)
        values = {
            "channels": constants["taps"],
            "advance": constants["taps"],
            "filter_beats": beats,
            "pixel_outer": 1,
            "items": 1,
            "pixel_words": 1,
            "signed": 1,
            "weight_signed": 1,
            "psum_beats": layout.psum_beats(config, constants["psums"]),
            "mode": Rounding.TFLM if width == 8 else Rounding.WIDE16,
            "low": -(1 << (width - 1)),
            "high": (1 << (width - 1)) - 1,
            "sync": 1,
            **constants,
        }
        values.setdefault("pixel_beats", -(-values["channels"] // config.noc.ifmap))
        records = [
            {"count": 1, **{name: wrapped(name, value) for name, value in loop.items()}}
            for loop in loops
        ]
        records += [{"count": 1}] * (commands.LOOPS - len(records))
        while records and records[0] == {"count": 1}:
            del records[0]
        start = {"constants": 1, "loops": len(records)}
        descriptor = commands.START.pack({**dict(bases), **start}) + commands.CONSTANTS.pack(values)
        for record in reversed(records):
            descriptor += commands.LOOP.pack(record)
        payload = [word for weights in filters for word in layout.pack_filters(config, weights)]
        return self.command(Opcode.CONV, values=descriptor, payload=payload, **options)

    def conv_again(self, bases=(), filters=(), **options):
        """CONV of bases alone: constants and loops are those of the CONV before."""
        payload = [
            word for weights in filters for word in layout.pack_filters(self.config, weights)
        ]
        values = commands.START.pack(dict(bases))
        return self.command(Opcode.CONV, values=values, payload=payload, **options)

    def vector(self, values, **options):
        width = self.config.array.data_width
        full = {
            "signed": 1,
            "blocks": 1,
            "window_rows": 1,
            "window_columns": 1,
            "stride_y": 1,
            "stride_x": 1,
            "mode": Rounding.TFLM if width == 8 else Rounding.WIDE16,
            "low": -(1 << (width - 1)),
            "high": (1 << (width - 1)) - 1,
            **values,
        }
        options = {"fence": True, **options}
        return self.command(Opcode.VECTOR, commands.VECTOR, full, **options)

    def end(self):
        return self.command(Opcode.END)

    def array(self):
        return np.array(self.words, dtype=np.uint64)


def wrapped(name, value):
    """A negative increment of an unsigned base as the large number that it wraps to."""
    field = next(field for field in commands.LOOP.fields if field.name == name)
    return value % (1 << field.width) if not field.signed else value


def run(accelerator, stream):
    """Send a stream; all result blocks as (header, words), without the closing status block."""
    accelerator.send(stream.end().array())
    blocks = []
    while True:
        header = commands.RESULT.unpack(accelerator.receive(1).tolist())
        words = accelerator.receive(header["length"])
        if header["block"] == commands.ResultBlock.STATUS:
            assert header["status"] == 0, (commands.Status(header["status"]), hex(int(words[0])))
            assert words.tolist() == [0]
            return blocks
        blocks.append((header, words))


def filter_words(config, weights):
    """Stored weights (taps, steps·K) of one filter row and group as whole beats."""
    flat = np.asarray(weights).reshape(-1)
    return np.concatenate([flat, np.zeros(-len(flat) % config.noc.filter, dtype=flat.dtype)])


def unpack(config, words, shape, dtype="int8", *, raw=False):
    box = Box(*((0, size) for size in shape))
    return layout.unpack_box(config, words, box, dtype, raw=raw)


def convolve(x, w, *, stride=1, pad=(0, 0), zero=0):
    """Plain convolution: x (H, W, C), w (R, S, C, M) to int64 (E, F, M); padding is `zero`."""
    padded = np.pad(x.astype(np.int64) - zero, ((pad[0], pad[0]), (pad[1], pad[1]), (0, 0)))
    R, S, _, M = w.shape
    E, F = (padded.shape[0] - R) // stride + 1, (padded.shape[1] - S) // stride + 1
    result = np.zeros((E, F, M), dtype=np.int64)
    for e in range(E):
        for f in range(F):
            part = padded[e * stride : e * stride + R, f * stride : f * stride + S]
            result[e, f] = np.tensordot(part, w.astype(np.int64), axes=3)
    return result
