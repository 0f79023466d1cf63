"""A host that speaks frames to a framed link before a queue: proper requests, and wrong ones."""

from random import Random

from hw.arch.frames import REQUEST_WORDS, LinkOpcode
from sw_driver.protocol.frames import Frame, encode_frame

LOOP_WORDS = 5 * REQUEST_WORDS  # the loop's own buffer and the link's
WAIT = 2


class Client:
    """Draws requests: mostly proper ones, and every way to go wrong."""

    def __init__(self, seed: str):
        self.random = Random(seed)
        self.session, self.sequence = 0, self.random.randrange(1 << 16)
        self.last = Frame(LinkOpcode.PING)

    def next(self) -> bytes:
        random = self.random
        kind = random.choices(
            ("proper", "again", "stale", "stranger", "status", "version", "open", "damage"),
            (12, 2, 1, 1, 1, 1, 1, 2),
        )[0]
        if kind == "open" or not self.session:
            return self._open()
        if kind == "proper":
            self.last = self._proper()
            return encode_frame(self.last)
        if kind == "again":
            return encode_frame(self.last)
        frame = self._proper(advance=False)
        if kind == "stale":
            frame = self._with(frame, sequence=random.randrange(1 << 16))
        if kind == "stranger":
            frame = self._with(frame, session=random.choice([0, self.session ^ 256, 1]))
        if kind == "status":
            frame = Frame(LinkOpcode.STATUS, sequence=random.randrange(1 << 16))
        if kind == "version":
            frame = self._with(frame, version=random.choice([0, 2, 255]))
        line = encode_frame(frame)
        return self._damage(line) if kind == "damage" else line

    def _open(self) -> bytes:
        """A new session, or one whose epoch does not follow."""
        random = self.random
        proper = random.random() < 0.7 or not self.session
        epoch = (self.session + (1 if proper else random.choice([0, 2, 77]))) & 255
        session = random.randint(1, (1 << 24) - 1) << 8 | epoch
        sequence = random.randrange(1 << 16)
        frame = Frame(LinkOpcode.OPEN, sequence=sequence, session=session)
        if proper:
            self.session, self.sequence, self.last = session, sequence, frame
        return encode_frame(frame)

    def _proper(self, *, advance: bool = True) -> Frame:
        random = self.random
        sequence = (self.sequence + 1) & 0xFFFF
        if advance:
            self.sequence = sequence
        opcode = random.choices((3, 4, 5, 6, 0, 99), (8, 8, 1, 2, 1, 1))[0]
        words = random.choice([0, 1, 2, 30, 255, 256]) if opcode == LinkOpcode.WRITE else 0
        words = random.choice([257, 300]) if words and random.random() < 0.05 else words
        words = 1 if not words and random.random() < 0.05 else words
        count = random.choice([0, 1, 3, 100, 256, 500]) if opcode == LinkOpcode.READ else 0
        payload = random.randbytes(8 * words)
        if random.random() < 0.3:
            payload = bytes(byte & random.choice([0, 0, 255]) for byte in payload)
        return Frame(opcode, 0, sequence, self.session, count, WAIT, payload)

    def _with(self, frame: Frame, **changes: int) -> Frame:
        values = {name: getattr(frame, name) for name in Frame.__slots__}
        return Frame(**{**values, **changes})

    def _damage(self, line: bytes) -> bytes:
        random = self.random
        kind = random.randrange(4)
        if kind == 0:
            place = random.randrange(8 * len(line))
            return bytes(b ^ (1 << place % 8 if i == place // 8 else 0) for i, b in enumerate(line))
        if kind == 1:
            return line[: random.randrange(len(line))] + b"\0"
        if kind == 2:
            return random.randbytes(random.randint(1, 50)) + line
        return b"\0" * random.randint(1, 5) + line + b"\x01\x01\0"


def comparable(reply: Frame | None) -> tuple:
    """A reply without the room, which depends on the moment."""
    assert reply is not None
    return (reply.version, reply.opcode, reply.status, reply.sequence, reply.session, reply.payload)
