"""What the hardware can count: rows and columns of the maps in a command."""

from collections.abc import Mapping

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.fields import Struct


def check_counts(config: Config, struct: Struct, fields: Mapping[str, int]) -> None:
    """Refuses a command with rows or columns that the hardware cannot count."""
    for field in struct.fields:
        value = fields.get(field.name, 0)
        if field.on_map and abs(value) > config.most_map:
            raise RowforgeError(
                f"{field.name} of a command must be at most {config.most_map} with "
                f"control.map_bits {config.control.map_bits}, not {value}"
            )
