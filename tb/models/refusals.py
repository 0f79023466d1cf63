"""Programs that the accelerator must refuse, by name, with the answer that they must cause."""

from collections.abc import Callable

import numpy as np

from hw.arch import commands
from hw.arch.commands import (
    ANY_CONFIGURATION,
    CODE,
    CONSTANTS,
    HEADER,
    INDEX,
    REGION,
    RESULT,
    START,
    VECTOR,
    Opcode,
    ResultBlock,
    Status,
)
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.config.file import config_hash
from hw.arch.entries import PARAM, short_params_words
from hw.arch.patterns import row_pattern_words
from hw.arch.program.coding import mask_code
from tb.models.program import Phase
from tb.models.result_words import ALL
from tb.models.streams import WordStream

Refusal = Callable[[Config], tuple[list[int], Status, int]]
"""Words that follow a good start, the status, and the offending value."""


def refused(config: Config, name: str, start: list[int]) -> Phase:
    """The refusal `name` after the words `start`, which must cause no result themselves."""
    words, status, value = REFUSALS[name](config)
    header = RESULT.pack({"block": ResultBlock.STATUS, "status": status, "length": 1})
    before: list[int] = []
    if name in ANNOUNCED and status == Status.BAD_ADDRESS:
        length = REGION.unpack(words[1:])["words"]
        before = [*RESULT.pack({"block": ResultBlock.DATA, "length": length}), *[0] * length]
    masks = [ALL, *[0] * (len(before) - 1)] if before else []
    return Phase([*start, *words], [*before, *header, value], [*masks, ALL, ALL])


def _command(opcode: Opcode, struct=None, values=(), *, length: int = 0) -> list[int]:
    return commands.command(opcode, struct.pack(values) if struct else (), length=length)


def _behind(config: Config) -> int:
    """The first buffer word that activations do not reach."""
    return config.act_banks * config.buffer.depth


def _region(words: int = 4, **values: int) -> dict[str, int]:
    return {"run": 4, "rows": 1, "planes": 1, "words": words, **values}


def _other_version(config: Config) -> tuple[list[int], Status, int]:
    start = commands.begin(config_hash(config))
    start[1] += 1
    return start, Status.BAD_VERSION, commands.COMMAND_SET_VERSION + 1


def _other_configuration(config: Config) -> tuple[list[int], Status, int]:
    wrong = config_hash(config) ^ 0x10
    return commands.begin(wrong), Status.BAD_CONFIGURATION, wrong


def _guest(config: Config) -> tuple[list[int], Status, int]:
    words = [*commands.begin(ANY_CONFIGURATION), *_command(Opcode.COUNTERS)]
    return words, Status.BAD_CONFIGURATION, Opcode.COUNTERS


def _unknown(config: Config) -> tuple[list[int], Status, int]:
    return HEADER.pack({"opcode": 31, "length": 3}) + [1, 2, 3], Status.UNKNOWN_COMMAND, 31


def _unbuilt(config: Config) -> tuple[list[int], Status, int]:
    words = _command(Opcode.MEMORY, INDEX, {"count": 1}, length=1)
    return [*words, 5], Status.UNKNOWN_COMMAND, Opcode.MEMORY


def _checksum(config: Config) -> tuple[list[int], Status, int]:
    words = _command(Opcode.LOAD, REGION, _region(), length=4)
    words[1] ^= 1 << 40
    total = commands.checksum(words[0], words[1:])
    return [*words, 1, 2, 3, 4], Status.BAD_CHECKSUM, total


def _table_length(config: Config) -> tuple[list[int], Status, int]:
    length = 2 * PARAM.words + 1
    words = _command(Opcode.PARAMS, INDEX, {"first": 0, "count": 2}, length=length)
    return words + [0] * length, Status.BAD_LENGTH, length


def _patterns(words: list[int], count: int, left: int) -> tuple[list[int], Status, int]:
    """ROWS with these words that claims `count` patterns; `left` of them when it is refused."""
    command = _command(Opcode.ROWS, INDEX, {"first": 0, "count": count}, length=len(words))
    return [*command, *words], Status.BAD_LENGTH, left


def _long_pattern(config: Config) -> tuple[list[int], Status, int]:
    return _patterns([row_pattern_words(config.array.rows) + 1, 1, 2], 1, 3)


def _empty_pattern(config: Config) -> tuple[list[int], Status, int]:
    return _patterns([2, 1, 0, 5], 2, 2)


def _cut_pattern(config: Config) -> tuple[list[int], Status, int]:
    return _patterns([2, 1, 4, 1, 2], 2, 0)


def _missing_pattern(config: Config) -> tuple[list[int], Status, int]:
    return _patterns([2, 1], 2, 0)


def _surplus_of_patterns(config: Config) -> tuple[list[int], Status, int]:
    return _patterns([2, 1, 2, 1, 5], 1, 3)


def _load_length(config: Config) -> tuple[list[int], Status, int]:
    return _command(Opcode.LOAD, REGION, _region(), length=5) + [0] * 5, Status.BAD_LENGTH, 5


def _store_length(config: Config) -> tuple[list[int], Status, int]:
    return _command(Opcode.STORE, REGION, _region(), length=2) + [0] * 2, Status.BAD_LENGTH, 2


def _table_address(config: Config) -> tuple[list[int], Status, int]:
    first = config.control.col_patterns
    words = _command(Opcode.COLS, INDEX, {"first": first, "count": 1}, length=2)
    return [*words, 2, 1], Status.BAD_ADDRESS, first + 1


def _param_address(config: Config) -> tuple[list[int], Status, int]:
    values = {"first": config.post.channels - 1, "count": 2}
    length = 2 * PARAM.words
    words = _command(Opcode.PARAMS, INDEX, values, length=length)
    return words + [0] * length, Status.BAD_ADDRESS, config.post.channels + 1


def _short_param_length(config: Config) -> tuple[list[int], Status, int]:
    length = short_params_words(2) - 1
    words = _command(Opcode.SHORT_PARAMS, INDEX, {"first": 0, "count": 2}, length=length)
    return words + [0] * length, Status.BAD_LENGTH, length


def _short_param_address(config: Config) -> tuple[list[int], Status, int]:
    first = config.post.channels - 1
    length = short_params_words(2)
    words = _command(Opcode.SHORT_PARAMS, INDEX, {"first": first, "count": 2}, length=length)
    return words + [0] * length, Status.BAD_ADDRESS, first + 2


def _load_address(config: Config) -> tuple[list[int], Status, int]:
    words = -(-4 * config.buffer.width // 64)
    region = _region(words, address=_behind(config) - 2)
    payload = np.arange(words).tolist()
    command = _command(Opcode.LOAD, REGION, region, length=words)
    return [*command, *payload], Status.BAD_ADDRESS, _behind(config)


def _store_address(config: Config) -> tuple[list[int], Status, int]:
    region = _region(-(-4 * config.buffer.width // 64), address=_behind(config) - 2)
    return _command(Opcode.STORE, REGION, region), Status.BAD_ADDRESS, _behind(config)


def _coded(config: Config, words: int, payload: list[int]) -> tuple[list[int], Status, int]:
    """A LOAD of so many link words by this code, which is damaged."""
    values = _region(words, run=words * LINK_WORD_BITS // config.buffer.width, coded=1)
    command = _command(Opcode.LOAD, REGION, values, length=len(payload))
    if not config.link.codes:
        return [*command, *payload], Status.BAD_FIELD, 1
    if not payload:
        return command, Status.BAD_LENGTH, 0
    return [*command, *payload], Status.BAD_CODE, Opcode.LOAD


def _code(config: Config, words: int) -> list[int]:
    """A code that fills its link words: no element but the last may be left out."""
    elements = np.ones(words * LINK_WORD_BITS // config.array.data_width, dtype=np.uint8)
    elements[-1] = 0
    kind = f"<u{config.array.data_width // 8}"
    plain = np.frombuffer(elements.astype(kind).tobytes(), dtype="<u8")
    return [int(word) for word in mask_code(plain, config.array.data_width)]


def _damaged_code(config: Config) -> tuple[list[int], Status, int]:
    code = _code(config, 9)
    code[4] ^= 1 << 33
    return _coded(config, 9, code)


def _code_of_less(config: Config) -> tuple[list[int], Status, int]:
    return _coded(config, 20, _code(config, 9))


def _code_of_more(config: Config) -> tuple[list[int], Status, int]:
    return _coded(config, 10, _code(config, 24))


def _code_without_words(config: Config) -> tuple[list[int], Status, int]:
    return _coded(config, 4, [])


def _lone_check_word(config: Config) -> tuple[list[int], Status, int]:
    return _coded(config, 4, [0])


def _coded_filters(
    config: Config, decoded: int, payload: list[int]
) -> tuple[list[int], Status, int]:
    """A CONV with so many link words of filters by this code, which is damaged."""
    stream = _one_pass(config)
    descriptor = [*START.pack({"constants": 1, "decoded": decoded}), *CONSTANTS.pack(_ONE_WINDOW)]
    words = stream.command(Opcode.CONV, values=descriptor, payload=payload).words[3:]
    if not config.link.codes:
        return words, Status.BAD_FIELD, decoded
    return words, *((Status.BAD_CODE, Opcode.CONV) if payload else (Status.BAD_LENGTH, 0))


def _damaged_code_of_filters(config: Config) -> tuple[list[int], Status, int]:
    code = _code(config, 9)
    code[2] ^= 1 << 17
    return _coded_filters(config, 9, code)


def _code_of_less_filters(config: Config) -> tuple[list[int], Status, int]:
    return _coded_filters(config, 20, _code(config, 9))


def _code_of_more_filters(config: Config) -> tuple[list[int], Status, int]:
    return _coded_filters(config, 10, _code(config, 24))


def _code_of_filters_without_words(config: Config) -> tuple[list[int], Status, int]:
    return _coded_filters(config, 3, [])


def _store_of_unknown_code(config: Config) -> tuple[list[int], Status, int]:
    words = _command(Opcode.STORE, REGION, _region(coded=1))
    return words, *((Status.BAD_LENGTH, 0) if config.link.codes else (Status.BAD_FIELD, 1))


def _coded_store_address(config: Config) -> tuple[list[int], Status, int]:
    words = -(-40 * config.buffer.width // 64)
    region = _region(words, run=20, rows=2, row_stride=20, address=_behind(config) - 39, coded=1)
    payload = CODE.pack({"blocks": 1, "lanes": config.lanes})
    command = _command(Opcode.STORE, REGION, region, length=len(payload))
    refusal = (Status.BAD_ADDRESS, _behind(config)) if config.link.codes else (Status.BAD_FIELD, 1)
    return [*command, *payload], *refusal


def _vector_operation(config: Config) -> tuple[list[int], Status, int]:
    return _command(Opcode.VECTOR, VECTOR, {"op": 13}), Status.BAD_FIELD, 13


def _silent_host(config: Config) -> tuple[list[int], Status, int]:
    words = _command(Opcode.LOAD, REGION, _region(), length=4)
    return [*words, 1], Status.WATCHDOG, Opcode.LOAD


def _half_descriptor(config: Config) -> tuple[list[int], Status, int]:
    return _command(Opcode.LOAD, REGION, _region(), length=4)[:2], Status.WATCHDOG, Opcode.LOAD


def _missing_filters(config: Config) -> tuple[list[int], Status, int]:
    """A pass without filters: END waits for it in vain."""
    stream = _one_pass(config).conv({**_ONE_WINDOW, "psums": config.pe.macs})
    return stream.end().words[3:], Status.WATCHDOG, Opcode.END


_ONE_WINDOW = {
    "psums": 1,
    "steps": 1,
    "taps": 1,
    "windows": 1,
    "pixel_inner": 1,
    "height": 1,
    "width": 1,
}


def _one_pass(config: Config) -> WordStream:
    """The patterns of a pass of one PE."""
    return (
        WordStream(config)
        .rows(
            {
                "rows": [{"active": 1, "head": 1, "tail": 1, "first": 1}],
                "slots": [{"outer": 1, "inner": 1}],
                "segments": [{"first": 1, "last": 1}],
            }
        )
        .columns({"columns": [{}]})
    )


REFUSALS: dict[str, Refusal] = {
    "another version": _other_version,
    "another configuration": _other_configuration,
    "a guest that counts": _guest,
    "unknown command": _unknown,
    "command that was not built": _unbuilt,
    "wrong checksum": _checksum,
    "wrong length of a table": _table_length,
    "pattern that no place holds": _long_pattern,
    "pattern without words": _empty_pattern,
    "pattern that is cut off": _cut_pattern,
    "pattern that does not come": _missing_pattern,
    "words after the last pattern": _surplus_of_patterns,
    "wrong length of LOAD": _load_length,
    "STORE with a payload": _store_length,
    "column pattern out of range": _table_address,
    "parameter out of range": _param_address,
    "wrong length of short parameters": _short_param_length,
    "short parameter out of range": _short_param_address,
    "LOAD out of range": _load_address,
    "STORE out of range": _store_address,
    "unknown vector operation": _vector_operation,
    "LOAD without its words": _silent_host,
    "LOAD without its descriptor": _half_descriptor,
    "CONV without its filters": _missing_filters,
    "damaged code": _damaged_code,
    "code that ends before its box": _code_of_less,
    "code that goes on after its box": _code_of_more,
    "code without words": _code_without_words,
    "code of a check word alone": _lone_check_word,
    "damaged code of filters": _damaged_code_of_filters,
    "code that ends before its filters": _code_of_less_filters,
    "code that goes on after its filters": _code_of_more_filters,
    "code of filters without words": _code_of_filters_without_words,
    "STORE that says of no code how it looks": _store_of_unknown_code,
    "STORE of a code out of range": _coded_store_address,
}
ANNOUNCED = ("STORE out of range", "STORE of a code out of range")
"""A data block is under way when the box leaves the buffer; it is sent in full length."""

STARTS = ("another version", "another configuration", "a guest that counts")
"""Refusals that bring their own start of a program."""
