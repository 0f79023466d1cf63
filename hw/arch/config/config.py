"""The configuration of an accelerator: its sections together, and what follows from them."""

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from hw.arch.config.combinations import check_combinations
from hw.arch.config.section import Section, Value
from hw.arch.config.sections import (
    FIELDS_OF_MEMORY,
    ArrayConfig,
    BufferConfig,
    ClustersConfig,
    ControlConfig,
    LinkConfig,
    MemoryConfig,
    NocConfig,
    PeConfig,
    PostConfig,
)
from hw.arch.errors import RowforgeError


@dataclass(frozen=True, kw_only=True)
class Config:
    """A validated accelerator configuration (design parameters only; see each section's fields).

    A field's full name is `section.field`, as in `pe.ifmap_spad`. Raises `RowforgeError` at
    construction for a field out of range or an impossible combination.
    """

    array: ArrayConfig = field(default_factory=ArrayConfig)
    pe: PeConfig = field(default_factory=PeConfig)
    noc: NocConfig = field(default_factory=NocConfig)
    buffer: BufferConfig = field(default_factory=BufferConfig)
    post: PostConfig = field(default_factory=PostConfig)
    link: LinkConfig = field(default_factory=LinkConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    control: ControlConfig = field(default_factory=ControlConfig)
    clusters: ClustersConfig = field(default_factory=ClustersConfig)

    def __post_init__(self) -> None:
        check_combinations(self)

    def __hash__(self) -> int:
        """That of all fields, computed once: configurations are keys of many caches."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, item.name) for item in fields(self)))

    # ---- what follows from the fields -----------------------------------------------------

    @property
    def operand_width(self) -> int:
        """Bits of an activation after its zero point is subtracted (signed)."""
        return 9 if self.array.data_width == 8 else 16

    @property
    def weight_width(self) -> int:
        """Bits of a weight in the filter scratchpad (signed)."""
        data_width = self.array.data_width
        return 9 if data_width == 8 and self.pe.weight_zero_points else data_width

    @cached_property
    def lanes(self) -> int:
        """Activations in one global buffer word: the channel block of the activation layout."""
        return self.buffer.width // self.array.data_width

    @property
    def most_map(self) -> int:
        """Rows or columns of the largest map, padding included: a bit of `map_bits` is a sign."""
        return (1 << (self.control.map_bits - 1)) - 1

    @cached_property
    def filter_half(self) -> int:
        """Usable words in one half of the filter scratchpad (whole NoC beats)."""
        return self.pe.filter_spad // 2 // self.noc.filter * self.noc.filter

    @cached_property
    def psum_beat(self) -> int:
        """Psums in one access of the psum buffer: the wider of the two psum networks."""
        return max(self.noc.psum_in, self.noc.psum_out)

    @cached_property
    def psums_per_word(self) -> int:
        """Whole psums that fit one bank word."""
        return min(self.psum_beat, self.buffer.width // self.array.psum_width)

    @cached_property
    def banks_per_beat(self) -> int:
        """Banks that one psum beat touches at once."""
        return -(-self.psum_beat // self.psums_per_word)

    @property
    def act_banks(self) -> int:
        """Banks reachable by activations, counted from bank 0."""
        return self.buffer.act_banks or self.buffer.banks

    @cached_property
    def psum_groups(self) -> int:
        """Groups of 2·banks_per_beat banks that psums can use, counted from the top bank down."""
        return (self.buffer.psum_banks or self.buffer.banks) // (2 * self.banks_per_beat)

    @property
    def glb_bytes(self) -> int:
        """Capacity of the global buffer without the prefetch FIFO."""
        return self.buffer.banks * self.buffer.depth * self.buffer.width // 8

    @property
    def multipliers(self) -> int:
        """Multipliers in the array of a cluster."""
        return self.array.rows * self.array.cols * self.pe.macs

    # ---- by name --------------------------------------------------------------------------

    @classmethod
    def declared(cls, *, hardware: bool = False) -> Iterator[tuple[str, "Field[Any]"]]:
        """Full name and declaration of every field, in order; `metadata` has meaning and limits.

        `hardware`: only of fields that decide what is built.
        """
        for section in SECTIONS.values():
            for item in fields(section):
                if not (hardware and item.metadata.get("run_only")):
                    yield f"{section.NAME}.{item.name}", item

    def value(self, name: str) -> Value:
        """The value of the field with this full name."""
        section, _, item = name.partition(".")
        found: Value = getattr(getattr(self, section), item)
        return found

    def values(self, *, hardware: bool = False) -> dict[str, Value]:
        """Every field's value by its full name, in order.

        `hardware`: only those that decide what is built here, without those of a part that is
        left out (`is_built`).
        """
        return {
            name: self.value(name)
            for name, _ in self.declared(hardware=hardware)
            if not hardware or is_built(name, self.memory.kind, clustered=self.clusters.several)
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Config":
        """A configuration from values by full name; missing fields take their defaults."""
        return cls.from_dict(_by_section(values))

    def with_values(self, values: Mapping[str, Any]) -> "Config":
        """This configuration with other values in the fields of these full names."""
        sections = {
            name: replace(getattr(self, name), **changes)
            for name, changes in _by_section(values).items()
        }
        return replace(self, **sections)

    # ---- in and out -----------------------------------------------------------------------

    def as_dict(self, *, hardware: bool = False) -> dict[str, dict[str, Value]]:
        """All sections and their fields in declaration order; `hardware`: as in `declared`."""
        found: dict[str, dict[str, Value]] = {name: {} for name in SECTIONS}
        for full_name, value in self.values(hardware=hardware).items():
            section, _, name = full_name.partition(".")
            found[section][name] = value
        return found

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> "Config":
        """A configuration from sections of named values, as `as_dict` gives them."""
        sections: dict[str, Any] = {}
        for name, content in values.items():
            if name not in SECTIONS:
                raise RowforgeError(
                    f"configuration has no section {name!r}; known: {', '.join(SECTIONS)}"
                )
            if not isinstance(content, Mapping):
                raise RowforgeError(f"configuration section {name!r} must be a table")
            sections[name] = SECTIONS[name].from_dict(content)
        return cls(**sections)


def is_built(name: str, memory_kind: Value, *, clustered: bool) -> bool:
    """Whether a field of this full name means anything with such a memory, one cluster or more."""
    section, _, item = name.partition(".")
    if section == ClustersConfig.NAME:
        return clustered
    return section != MemoryConfig.NAME or item in FIELDS_OF_MEMORY[str(memory_kind)]


SECTIONS: dict[str, type[Section]] = {
    item.name: item.default_factory  # type: ignore[misc]
    for item in fields(Config)
}
"""The classes of the sections by name, in order."""


def _by_section(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, _, item = name.partition(".")
        found.setdefault(section, {})[item] = value
    return found
