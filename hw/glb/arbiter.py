"""Several engines on one port of the global buffer."""

from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from hw.elaboration import Block
from hw.glb.ports import read_port


class ReadArbiter(Block):
    """Fixed priority among `clients` read ports, the first one first. Combinational.

    All clients see the data; each knows by its own grant whether they are its own.
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
    """Fixed priority among `clients` streams, the first one first. Combinational."""

    def __init__(self, shape, *, clients: int):
        super().__init__(
            {
                "clients": In(stream.Signature(shape)).array(clients),
                "port": Out(stream.Signature(shape)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        earlier = []
        for client in self.clients:
            m.d.comb += client.ready.eq(self.port.ready & ~Cat(earlier).any())
            earlier.append(client.valid)
        m.d.comb += self.port.valid.eq(Cat(earlier).any())
        for client in reversed(list(self.clients)):
            with m.If(client.valid):
                m.d.comb += self.port.payload.eq(client.payload)
        return m
