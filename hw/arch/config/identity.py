"""What the hardware says of itself: versions, configuration hash, and the configuration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hw.arch.commands import COMMAND_SET_VERSION, MAGIC
from hw.arch.config import Config
from hw.arch.config.config import is_built
from hw.arch.config.file import config_hash, config_words
from hw.arch.config.section import Value, from_number
from hw.arch.errors import RowforgeError
from hw.arch.fields import Field, Struct
from hw.arch.version import GENERATOR_VERSION, LINK_PROTOCOL_VERSION

VERSIONS = Struct(
    "versions",
    (
        Field("command_set", 16, "command-set version"),
        Field("link_protocol", 16, "version of the framed link"),
        Field("major", 8, "generator version"),
        Field("minor", 8, "generator version"),
        Field("patch", 8, "generator version"),
        Field("fields", 8, "configuration fields that follow the hash"),
    ),
    "Second word of the identity block.",
)


@dataclass(frozen=True)
class Identity:
    """A decoded identity block; `hash` is what the hardware compares programs with."""

    command_set: int
    link_protocol: int
    generator: tuple[int, int, int]
    hash: int
    config: Config


def identity_words(config: Config) -> list[int]:
    """The identity block: magic, versions, hash, then one word for each configuration field."""
    major, minor, patch = GENERATOR_VERSION
    values = config_words(config)
    versions = VERSIONS.pack(
        {
            "command_set": COMMAND_SET_VERSION,
            "link_protocol": LINK_PROTOCOL_VERSION,
            "major": major,
            "minor": minor,
            "patch": patch,
            "fields": len(values),
        }
    )
    return [MAGIC, *versions, config_hash(config), *values]


def parse_identity(words: Sequence[int]) -> Identity:
    """The inverse of `identity_words`; `RowforgeError` if the words are something else."""
    if len(words) < 3 or int(words[0]) != MAGIC:
        raise RowforgeError("the hardware does not answer as a Rowforge accelerator")
    versions = VERSIONS.unpack([int(words[1])])
    names = _names(words[3:])
    if versions["fields"] != len(names) or len(words) != 3 + len(names):
        raise RowforgeError(
            f"the hardware has {versions['fields']} configuration fields, this version "
            f"knows {len(names)}; use the version that generated it"
        )
    values = {
        name: from_number(int(word), item)
        for (name, item), word in zip(names, words[3:], strict=True)
    }
    return Identity(
        command_set=versions["command_set"],
        link_protocol=versions["link_protocol"],
        generator=(versions["major"], versions["minor"], versions["patch"]),
        hash=int(words[2]),
        config=Config.of(values),
    )


def _names(values: Sequence[int]) -> list[tuple[str, Any]]:
    """The fields whose values these are.

    Which ones there are depends on the kind of memory; those of clusters come last, if at all.
    """
    declared = list(Config.declared(hardware=True))
    kinds = [at for at, (name, _) in enumerate(declared) if name == "memory.kind"]
    at, item = kinds[0], declared[kinds[0]][1]
    kind: Value = from_number(int(values[at]), item) if at < len(values) else "none"
    plain = [pair for pair in declared if is_built(pair[0], kind, clustered=False)]
    if len(values) <= len(plain):
        return plain
    return [pair for pair in declared if is_built(pair[0], kind, clustered=True)]
