"""The global buffer: one storage, seen as activation lanes and as psum slots."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.arch.commands import ADDRESS, CODE, Opcode, ResultBlock, Status
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Words
from hw.arch.program.coding import unmask
from hw.arch.program.layout import (
    Ints,
    from_link_words,
    psum_capacity,
    psum_slot_bits,
    psum_words,
    to_link_words,
)
from hw.arch.program.transfer import answer
from numerics.gemmlowp import wrap
from sim.functional.errors import CommandError, require

_UNWRITTEN, _ACTIVATION, _PSUM = range(3)
_MEANING = ("unwritten", "an activation", "a psum")


class BufferMemory:
    """Bank words as bytes; each word remembers whether it was written as activations or as psums.

    Contents are random at first, so that a result that depends on them shows. Addresses are reduced
    modulo 2^ADDRESS here; reading a word as what it was not written raises `SemanticsError`.
    """

    def __init__(self, config: Config):
        self.config = config
        self.words = config.buffer.banks * config.buffer.depth
        self.activation_words = config.act_banks * config.buffer.depth
        self._psum_capacity = psum_capacity(config)
        rng = np.random.default_rng(0)
        self._bytes = rng.integers(0, 256, (self.words, config.buffer.width // 8), dtype=np.uint8)
        self._kind = np.full(self.words, _UNWRITTEN, dtype=np.uint8)

    # ---- activations ------------------------------------------------------------------------

    def activation_address(self, address: Ints) -> Ints:
        """The wrapped addresses; `SemanticsError` if activations do not reach one of them."""
        wrapped = address % (1 << ADDRESS)
        if wrapped.size and int(wrapped.max()) >= self.activation_words:
            bad = int(wrapped[wrapped >= self.activation_words].flat[0])
            require(False, f"word {bad} is after the {self.activation_words} activation words")
        return wrapped

    def _check_kind(self, address: Ints, kind: int) -> None:
        wrong = self._kind[address] != kind
        if wrong.any():
            bad = int(address[wrong].flat[0])
            require(
                False,
                f"word {bad} is read as {_MEANING[kind]} but is {_MEANING[self._kind[bad]]}",
            )

    def _lanes(self, *, signed: bool) -> NDArray[Any]:
        size = self.config.array.data_width // 8
        return self._bytes.view(f"<{'i' if signed else 'u'}{size}")

    def read_words(self, address: Ints, *, signed: bool) -> Ints:
        """Stored values of whole words, shape (..., lanes); addresses as they were checked."""
        self._check_kind(address, _ACTIVATION)
        return self._lanes(signed=signed)[address].astype(np.int64)

    def read_lanes(self, address: Ints, lane: Ints, *, signed: bool) -> Ints:
        """Stored values of single lanes."""
        self._check_kind(address, _ACTIVATION)
        return self._lanes(signed=signed)[address, lane].astype(np.int64)

    def write_lanes(self, address: Ints, lane: Ints, values: Ints) -> None:
        """Write the low bits of the values to single lanes."""
        lanes = self._lanes(signed=False)
        lanes[address, lane] = (values & ((1 << self.config.array.data_width) - 1)).astype(
            lanes.dtype
        )
        self._kind[address] = _ACTIVATION

    def load(self, address: Ints, payload: Words, region: Mapping[str, int]) -> None:
        """Write whole words out of link words, or out of their code; `region`: fields of REGION.

        Raises `CommandError` for a damaged code.
        """
        if region["coded"]:
            payload = decoded_payload(self.config, Opcode.LOAD, payload, region["words"])
        channels, lanes = region["channels"], self.config.lanes
        require(channels < lanes, f"{channels} channels of a pixel are not less than {lanes} lanes")
        width = self.config.buffer.width // 8
        taken = channels * self.config.array.data_width // 8 or width
        words = np.zeros((len(address), width), dtype=np.uint8)
        image = from_link_words(payload, words.size // width * taken)
        words[:, :taken] = np.frombuffer(image, dtype=np.uint8).reshape(-1, taken)
        self._bytes[address] = words
        self._kind[address] = _ACTIVATION

    def read_bytes(self, address: Ints) -> NDArray[np.uint8]:
        """Whole words as bytes, which were written as activations are; addresses were checked."""
        self._check_kind(address, _ACTIVATION)
        return self._bytes[address]

    def store(
        self, address: Ints, payload: Words, region: Mapping[str, int]
    ) -> tuple[ResultBlock, Words]:
        """Whole words as link words, whatever was written to them, or their code if it is shorter.

        `payload`: of a STORE that may be coded, `CODE`; `region`: fields of REGION.
        """
        unwritten = self._kind[address] == _UNWRITTEN
        if unwritten.any():
            require(False, f"word {int(address[unwritten][0])} is stored but was never written")
        words = to_link_words(self._bytes[address])
        if region["coded"]:
            code = answer(self.config, words, region, CODE.unpack(payload.tolist())).code
            if code is not None:
                return ResultBlock.CODED, code
        return ResultBlock.DATA, words

    # ---- psums --------------------------------------------------------------------------------

    def psum_address(self, beat: Ints) -> Ints:
        """The wrapped beat addresses; `SemanticsError` if the buffer has no such beat."""
        wrapped = beat % (1 << ADDRESS)
        if wrapped.size and int(wrapped.max()) >= self._psum_capacity:
            bad = int(wrapped[wrapped >= self._psum_capacity].flat[0])
            require(False, f"psum beat {bad} is after the {self._psum_capacity} beats")
        return wrapped

    def read_psums(self, beat: Ints) -> Ints:
        """Psums of beats, shape (..., psum_beat)."""
        words = psum_words(self.config, beat)
        self._check_kind(words, _PSUM)
        slots = self._slots_of(self._bytes[words])
        return slots.reshape(*beat.shape, -1)[..., : self.config.psum_beat]

    def write_psums(self, beat: Ints, psums: Ints) -> None:
        """Write beats; psums of shape (..., psum_beat)."""
        config = self.config
        words = psum_words(config, beat)
        slots = np.zeros((*beat.shape, config.banks_per_beat * config.psums_per_word), np.int64)
        slots[..., : config.psum_beat] = psums
        self._bytes[words] = self._bytes_of(slots.reshape(*words.shape, -1))
        self._kind[words] = _PSUM

    def _slots_of(self, image: NDArray[np.uint8]) -> Ints:
        """Psums in words given as bytes: shape (..., bytes) to (..., psums_per_word)."""
        config = self.config
        slot = psum_slot_bits(config)
        bits = np.unpackbits(image, axis=-1, bitorder="little")
        used = bits[..., : slot * config.psums_per_word]
        split = used.reshape(*image.shape[:-1], config.psums_per_word, slot)
        weights = np.int64(1) << np.arange(config.array.psum_width, dtype=np.int64)
        return wrap(split[..., : config.array.psum_width] @ weights, config.array.psum_width)

    def _bytes_of(self, slots: Ints) -> NDArray[np.uint8]:
        """The inverse: shape (..., psums_per_word) to (..., bytes of a word)."""
        config = self.config
        slot = psum_slot_bits(config)
        bits = (slots[..., None] >> np.arange(slot, dtype=np.int64)) & 1
        image = np.zeros((*slots.shape[:-1], config.buffer.width), dtype=np.uint8)
        image[..., : slot * config.psums_per_word] = bits.reshape(*slots.shape[:-1], -1)
        return np.packbits(image, axis=-1, bitorder="little")


def decoded_payload(config: Config, opcode: Opcode, payload: Words, decoded: int) -> Words:
    """The link words that a payload stands for.

    Parameters
    ----------
    config : Config
    opcode : of the command, for the error
    payload : raw words or a code
    decoded : link words whose code the payload is; 0: it is raw

    Raises
    ------
    CommandError
        If it is a code and the configuration has none, or it is empty or damaged.
    """
    if not decoded:
        return payload
    if not config.link.codes:
        raise CommandError(Status.BAD_FIELD, decoded)
    if not len(payload):
        raise CommandError(Status.BAD_LENGTH, 0)
    try:
        return unmask(payload, decoded, config.array.data_width)
    except RowforgeError:
        raise CommandError(Status.BAD_CODE, opcode) from None
