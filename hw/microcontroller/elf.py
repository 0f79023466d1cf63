"""What is wanted of a linked 32-bit ELF file: what is loaded, and where memory ends."""

import struct

_PROGRAM = struct.Struct("<8I")
_LOAD = 1


def _segments(image: bytes) -> list[tuple[int, ...]]:
    """Program headers of what belongs in memory."""
    (start,) = struct.unpack_from("<I", image, 28)
    size, count = struct.unpack_from("<2H", image, 42)
    headers = [_PROGRAM.unpack_from(image, start + i * size) for i in range(count)]
    return [header for header in headers if header[0] == _LOAD]


def loaded_bytes(image: bytes) -> bytes:
    """The contents of all segments that have any, from address 0 on."""
    result = bytearray()
    for _, offset, address, _, length, *_ in _segments(image):
        if length:
            result.extend(bytes(max(0, address + length - len(result))))
            result[address : address + length] = image[offset : offset + length]
    return bytes(result)


def memory_end(image: bytes) -> int:
    """The address after everything that the file gives a place."""
    return max(address + size for _, _, address, _, _, size, *_ in _segments(image))
