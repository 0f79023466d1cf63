"""The global buffer as the address maps of docs/architecture.md describe it."""

from hw.arch.config import Config

Place = tuple[int, int]  # bank, row


class BufferModel:
    """Banks of words; a word is a list of lanes, None where nothing was written."""

    def __init__(self, config: Config):
        self.config = config
        self._words: dict[Place, list[int | None]] = {}

    @property
    def act_words(self) -> int:
        """Activation words that exist."""
        return self.config.act_banks * self.config.buffer.depth

    @property
    def psum_beats(self) -> int:
        """Psum beats that exist."""
        return 2 * self.config.psum_groups * self.config.buffer.depth

    def act_places(self, address: int) -> list[Place]:
        """Where an activation word lies: bank = address div depth."""
        return [divmod(address, self.config.buffer.depth)]

    def psum_places(self, beat: int) -> list[Place]:
        """Where a psum beat lies, lowest part first; even and odd beats in different banks."""
        k = self.config.banks_per_beat
        group, row = divmod(beat // 2, self.config.buffer.depth)
        first = self.config.buffer.banks - 2 * k * (group + 1) + k * (beat % 2)
        return [(first + i, row) for i in range(k)]

    def read(self, places: list[Place]) -> list[int | None]:
        """The lanes of some words, lowest first."""
        blank: list[int | None] = [None] * self.config.lanes
        return [lane for place in places for lane in self._words.get(place, blank)]

    def write(self, places: list[Place], data: int, mask: int = -1) -> None:
        """Write words from the bits of `data`, only the lanes that `mask` names."""
        width, lanes = self.config.array.data_width, self.config.lanes
        for number, place in enumerate(places):
            word = self._words.setdefault(place, [None] * lanes)
            for lane in range(lanes):
                position = number * lanes + lane
                if mask >> position & 1:
                    word[lane] = data >> (position * width) & ((1 << width) - 1)
