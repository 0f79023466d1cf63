"""Delay bookkeeping of a fixed-latency pipeline."""

from amaranth.hdl import Module, Signal, Value, ValueLike


class Pipeline:
    """Named values that advance one register rank at a time, all held while `en` is low.

    A value that is put in rank k and kept by every `advance` in between is read in rank k + d as it
    was d enabled cycles earlier. The registers are data path: they have no reset.

    Parameters
    ----------
    m : Module
        Where the registers are made (domain `sync`).
    en : ValueLike
        Clock enable of every rank.

    Attributes
    ----------
    rank : int
        Register ranks so far.
    """

    def __init__(self, m: Module, en: ValueLike):
        self._m = m
        self._en = en
        self._live: dict[str, Value] = {}
        self.rank = 0

    def put(self, **values: ValueLike) -> None:
        """Add or replace values of the current rank."""
        self._live |= {name: Value.cast(value) for name, value in values.items()}

    def __getitem__(self, name: str) -> Value:
        """The value of that name in the current rank."""
        return self._live[name]

    def advance(self, *names: str, ranks: int = 1) -> None:
        """Register the named values `ranks` times; values that are not named end here."""
        self._live = {name: self._live[name] for name in names}
        for _ in range(ranks):
            self.rank += 1
            for name, value in self._live.items():
                register = Signal(value.shape(), name=f"{name}_{self.rank}", reset_less=True)
                with self._m.If(self._en):
                    self._m.d.sync += register.eq(value)
                self._live[name] = register
