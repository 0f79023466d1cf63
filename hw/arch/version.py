"""The generator's version, carried by hardware and programs."""

GENERATOR_VERSION = (0, 1, 0)
LINK_PROTOCOL_VERSION = 1


def version_text() -> str:
    """The generator's version as in `rowforge --version`."""
    return ".".join(str(part) for part in GENERATOR_VERSION)
