"""Several engines on one port of the global buffer."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.base.block import Block
from hw.glb.ports import read_port


class ReadArbiter(Block):
    """Fixed priority among `clients` read ports, the first one first. Combinational.

    All clients see the data; each knows by its own grant whether they are its own.

    Members
    -------
    clients : in, clients times read_port(width)
        Those who read, in the order of their priority.
    port : out, read_port(width)
        The buffer's port.
    """

    def __init__(self, *, clients: int, width: int):
        super().__init__(
            {"clients": In(read_port(width)).array(clients), "port": Out(read_port(width))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        earlier = []
        address = 0
        for client in reversed(list(self.clients)):
            address = Mux(client.request.valid, client.request.payload, address)
        for client in self.clients:
            m.d.comb += [
                client.data.eq(self.port.data),
                client.request.ready.eq(self.port.request.ready & ~Cat(earlier).any()),
            ]
            earlier.append(client.request.valid)
        m.d.comb += [
            self.port.request.payload.eq(address),
            self.port.request.valid.eq(Cat(earlier).any()),
        ]
        return m


class WriteArbiter(Block):
    """Two streams on one port: `first` goes first, but `second` waits at most one cycle for it.

    If `second` is patient, it waits for as long as `first` has something.

    Combinational. Who goes never depends on `second.valid` of the same cycle: the path of `first`
    stays short.

    Timing
    ------
    Both want the port all the time.

        cycle           0  1  2  3  4
        first.valid     1  1  1  1  1
        first.payload   1  2  2  3  3
        first.ready     1  0  1  0  1
        second.valid    1  1  1  1  1
        second.payload  7  7  8  8  9
        second.ready    0  1  0  1  0
        port.payload    1  7  2  8  3
        port.ready      1  1  1  1  1

    Members
    -------
    first : in, stream of shape
        Has priority.
    second : in, stream of shape
        Waits at most one cycle for `first`, unless it is patient.
    patient : in, 1
        `second` waits for longer.
    port : out, stream of shape
        The buffer's port.
    """

    def __init__(self, shape):
        client = In(stream.Signature(shape))
        super().__init__(
            {"first": client, "second": client, "patient": In(1), "port": client.flip()}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        waited = Signal()
        m.d.sync += waited.eq(self.second.valid & ~self.second.ready & ~self.patient)
        turn = waited | ~self.first.valid
        m.d.comb += [
            self.first.ready.eq(self.port.ready & ~waited),
            self.second.ready.eq(self.port.ready & turn),
            self.port.valid.eq(self.first.valid | self.second.valid),
            self.port.payload.eq(Mux(turn, self.second.payload, self.first.payload)),
        ]
        return m
