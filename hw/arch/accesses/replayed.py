"""What moves from the link to a memory when a program is replayed from there."""

from collections.abc import Iterator

from hw.arch.accesses.access import Access, Accesses, DataType, Direction, Level

_READ, _WRITE = Direction.READ, Direction.WRITE
_OF_IMAGES = (DataType.COMMAND, DataType.TABLE, DataType.FILTER)


def replayed(accesses: Accesses) -> Accesses:
    """Accesses of a program over a link as those of the same program from a memory.

    Commands, tables and filters are read from its image, and spills go to the memory and back.
    Inputs cross the link once, are written to the memory and read from there. Outputs and blocks of
    counters leave by the link. The words of the image's own records, and outputs that a host step
    lets stay in the memory, are not counted.
    """
    words: dict[Access, int] = {}
    for access, count in accesses.items():
        for moved in _moved(access):
            words[moved] = words.get(moved, 0) + count
    return Accesses.of(words)


def _moved(access: Access) -> Iterator[Access]:
    """Where the words of a kind of access are accessed then."""
    if access.level is not Level.LINK:
        yield access
        return
    data, way = access.data, access.direction
    if data is DataType.SPILL or (data in _OF_IMAGES and way is _READ):
        yield Access(Level.MEMORY, data, way)
        return
    yield access
    if data is DataType.INPUT and way is _READ:
        yield Access(Level.MEMORY, data, _WRITE)
        yield Access(Level.MEMORY, data, _READ)
