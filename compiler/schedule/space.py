"""Space in the global buffer: activations from word 0 upwards, psums from the top bank down."""

from hw.arch.config import Config


class Space:
    """Which buffer words hold resident tensors.

    Banks are shared between activations and psums: a layer that keeps g psum groups leaves
    activations the words below `limit(g)`.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._taken: dict[str, tuple[int, int]] = {}

    def limit(self, groups: int) -> int:
        """Words that activations may use while `groups` psum groups are in use."""
        config = self.config
        banks = config.buffer.banks - 2 * config.banks_per_beat * groups
        return min(banks, config.act_banks) * config.buffer.depth

    def psum_beats(self, groups: int) -> int:
        """Psum beats that `groups` psum groups hold."""
        return groups * 2 * self.config.buffer.depth

    def groups_above(self, words: int) -> int:
        """Psum groups that fit while activations reach up to word `words` (exclusive); -1: none do.

        0 means that the activations fit but leave no room for psums.
        """
        if words > self.limit(0):
            return -1
        groups = self.config.psum_groups
        while self.limit(groups) < words:
            groups -= 1
        return groups

    @property
    def top(self) -> int:
        """The first word after all resident tensors."""
        return max((end for _, end in self._taken.values()), default=0)

    def place(self, sizes: list[int], limit: int | None = None) -> list[int] | None:
        """Addresses for new areas of these sizes, lowest first fit, or None; reserves nothing."""
        taken = sorted(self._taken.values())
        bound = self.limit(0) if limit is None else limit
        addresses = []
        for size in sizes:
            address = _first_gap(taken, size)
            if address + size > bound:
                return None
            addresses.append(address)
            taken = sorted([*taken, (address, address + size)])
        return addresses

    def take(self, key: str, address: int, size: int) -> None:
        """Reserves an area for a tensor.

        Raises `AssertionError` if it shares a word with another one or leaves the buffer.
        """
        self.check_fits(address + size, 0)
        for other, (begin, end) in self._taken.items():
            if address < end and begin < address + size:
                raise AssertionError(f"{key} would lie over {other} from word {address} on")
        self._taken[key] = (address, address + size)

    def check_fits(self, end: int, groups: int) -> None:
        """Raises `AssertionError` if activations up to `end` reach into that many psum groups."""
        if end > self.limit(groups):
            raise AssertionError(
                f"activations reach up to word {end}, {groups} psum groups leave "
                f"{self.limit(groups)}"
            )

    def free(self, key: str) -> None:
        """Releases a tensor's area."""
        self._taken.pop(key, None)

    def residents(self) -> list[str]:
        """Keys of the resident tensors."""
        return list(self._taken)


def _first_gap(taken: list[tuple[int, int]], size: int) -> int:
    address = 0
    for begin, end in taken:
        if begin - address >= size:
            break
        address = max(address, end)
    return address
