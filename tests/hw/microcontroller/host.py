"""The firmware's C as a library of this machine, with the array's model behind its registers."""

import ctypes
import random
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from hw.arch.commands import (
    BEGIN,
    DESCRIPTOR_WORDS,
    HEADER,
    MAGIC,
    START,
    Opcode,
    descriptor_words,
)
from hw.arch.config import Config
from hw.arch.fields import WORD_BITS
from hw.arch.program import Words
from hw.microcontroller.firmware import compile_sources
from hw.microcontroller.registers import ACTIVITY, ACTIVITY_BITS, STATUS_BITS
from sw_driver.protocol.errors import LinkError
from tests.hw.microcontroller.array_model import OFFSETS, ArrayModel, require

_GET = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32)
_SET = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_uint32)
_OPTIONS = (
    *("-std=c11", "-O1", "-shared", "-fPIC", "-nostdlib", "-fno-sanitize=all", "-DHOST"),
    *("-fno-strict-aliasing", "-Wl,-Bsymbolic"),  # or `send` would be the C library's
)
_BIT = {name: 1 << bit for bit, name in enumerate(STATUS_BITS)}
_ALWAYS = _BIT["begun"] | _BIT["settled"]


@cache
def library_file(config: Config) -> bytes:
    """The library of a configuration."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compile_sources(config, folder, _OPTIONS, folder / "firmware.so")
        return (folder / "firmware.so").read_bytes()


def load(config: Config, folder: Path) -> ctypes.CDLL:
    """A copy of the library with memories of its own."""
    handle, path = tempfile.mkstemp(suffix=".so", dir=folder)
    with open(handle, "wb") as file:
        file.write(library_file(config))
    return ctypes.CDLL(path)


class FirmwareLink:
    """The firmware as a link. `seed`: streams and networks are ready now and then only."""

    def __init__(self, config: Config, folder: Path, *, seed: int | None = None):
        self._config = config
        self.array = ArrayModel(config)
        self.library = load(config, folder)
        self._rng = random.Random(seed) if seed is not None else None
        self._arriving: list[int] = []
        self._input: list[int] = []
        self._output: list[int] = []
        self._taken = 0  # bits of the first word of the input
        self._word, self._sent = 0, 0  # the result word under way, and its bits
        self._time = 0
        self._beats: dict[str, tuple[int, int]] = {}  # on offer in front of each network
        self._error: BaseException | None = None
        self._callbacks = _GET(self._guarded_get), _SET(self._guarded_set)
        buffer = (ctypes.c_uint8 * config.glb_bytes).in_dll(self.library, "buffer")
        # As the executor's buffer begins: what no command writes is compared, too.
        shape = (config.buffer.banks * config.buffer.depth, config.buffer.width // 8)
        image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        ctypes.memmove(buffer, image.tobytes(), len(buffer))
        self.library.connect(*self._callbacks)

    # ---- the link -----------------------------------------------------------------------------

    def send(self, words: Words) -> None:
        """Words for the firmware, which executes all commands that are complete."""
        self._arriving += [int(word) for word in words]
        complete = self._complete()
        self._input += self._arriving[:complete]
        del self._arriving[:complete]
        self._run()

    def send_part(self, words: Words) -> None:
        """Words of which no more come: what they lack, the firmware lacks for ever."""
        self._input += [int(word) for word in words]
        self._run()

    def results(self) -> Words:
        """All result words that there are."""
        return self.receive(len(self._output))

    def receive(self, count: int) -> Words:
        """Result words."""
        if count > len(self._output):
            raise LinkError(f"the firmware owes {len(self._output)} words, not {count}")
        words, self._output = self._output[:count], self._output[count:]
        return np.array(words, dtype=np.uint64)

    def cycles(self) -> int | None:
        """Unknown."""
        return None

    def close(self) -> None:
        """Nothing is open."""

    def _run(self) -> None:
        self.library.go()
        if self._error:
            raise self._error

    def _complete(self) -> int:
        """Words of complete commands among those that have arrived; all, if one is unknown."""
        words, place = self._arriving, 0
        while place < len(words):
            if words[place] == MAGIC:
                end = place + 1 + BEGIN.words
            else:
                header = HEADER.unpack([words[place]])
                if header["opcode"] not in DESCRIPTOR_WORDS:
                    return len(words)
                following = words[place + 1 : place + 1 + START.words]
                descriptor = descriptor_words(Opcode(header["opcode"]), following)
                end = place + 1 + descriptor + header["length"]
            if end > len(words):
                return place
            place = end
        return place

    # ---- registers ----------------------------------------------------------------------------

    def _guarded_get(self, offset: int) -> int:
        self._time += 1
        if self._error:  # only an end is wanted: the watchdog's
            return self._time if offset == OFFSETS["CYCLES"] else _BIT["result"]
        try:
            return self._get(offset) & 0xFFFF_FFFF
        except BaseException as error:
            self._error = error
            self._input.clear()
            return 0

    def _guarded_set(self, offset: int, value: int) -> None:
        if self._error:
            return
        try:
            self._set(offset, value)
        except BaseException as error:
            self._error = error
            self._input.clear()

    def _get(self, offset: int) -> int:
        array = self.array
        if offset == OFFSETS["STATUS"]:
            return self._status()
        if offset == OFFSETS["COMMAND"]:
            return self._next_beat()
        if offset == OFFSETS["PRODUCT"]:
            factors = array.written[OFFSETS["FACTORS"]]
            return (factors & 0xFFFF) * (factors >> 16)
        if offset == OFFSETS["CYCLES"]:
            return self._time
        if offset == OFFSETS["PSUM_READY"]:
            return array.ready() & self._mood()
        if offset == OFFSETS["PSUM_VALID"]:
            return array.valid() & self._mood()
        if OFFSETS["ACTIVITY"] <= offset:
            number = array.activity[ACTIVITY[(offset - OFFSETS["ACTIVITY"]) // 4]]
            return number & ((1 << ACTIVITY_BITS) - 1)
        require(OFFSETS["PSUM"] <= offset, f"register {offset:#x} cannot be read")
        psum = array.collect((offset - OFFSETS["PSUM"]) // 4)
        self._work()
        return psum

    def _set(self, offset: int, value: int) -> None:
        array = self.array
        if offset == OFFSETS["RESULT"]:
            self._result_beat(value)
        elif offset == OFFSETS["RESET"]:
            self.array = ArrayModel(self._config)
            self._beats.clear()
        elif offset == OFFSETS["ISSUE"]:
            require(not self._beats, "a pass begins while beats of the one before wait")
            array.issue()
        elif offset in (OFFSETS["IFMAP"], OFFSETS["FILTER"]):
            name = "ifmap" if offset == OFFSETS["IFMAP"] else "filter"
            require(name not in self._beats, f"the {name} network takes no beat")
            self._beats[name] = (array.written[offset - 4], value)
            self._work()
        elif OFFSETS["PSUM"] <= offset < OFFSETS["ACTIVITY"]:
            array.feed((offset - OFFSETS["PSUM"]) // 4, value)
            self._work()
        else:
            array.written[offset] = value

    def _next_beat(self) -> int:
        """A beat of the command stream's first word."""
        width = self._config.link.width
        beat = self._input[0] >> self._taken & ((1 << width) - 1)
        self._taken = (self._taken + width) % WORD_BITS
        if not self._taken:
            self._input.pop(0)
        return beat

    def _result_beat(self, value: int) -> None:
        width = self._config.link.width
        self._word |= (value & ((1 << width) - 1)) << self._sent
        self._sent = (self._sent + width) % WORD_BITS
        if not self._sent:
            self._output.append(self._word)
            self._word = 0

    def _status(self) -> int:
        ready = _BIT["result"] | _ALWAYS
        ready |= sum(_BIT[name] for name in ("ifmap", "filter") if name not in self._beats)
        if self._input:
            ready |= _BIT["command"]
        return ready & (self._mood() | _BIT["command"])

    def _mood(self) -> int:
        return -1 if self._rng is None else self._rng.getrandbits(8)

    def _work(self) -> None:
        """Let the array go on as far as it can."""
        while True:
            self.array.work()
            takers = {"ifmap": self.array.take_ifmap, "filter": self.array.take_filter}
            gone = [name for name, beat in self._beats.items() if takers[name](*beat)]
            if not gone:
                return
            for name in gone:
                del self._beats[name]
