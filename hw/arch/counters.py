"""The hardware counters, in the order of the counter block: one 64-bit word each."""

from hw.arch.fields import Field, Struct

_WIDTH = 64

COUNTERS = Struct(
    "counters",
    (
        Field("cycles", _WIDTH, "clock cycles since the counters were cleared"),
        Field("pe_active_cycles", _WIDTH, "PE-cycles in a running pass, summed over the PEs"),
        Field("macs", _WIDTH, "products that belong to a psum, gated ones included"),
        Field("gated_macs", _WIDTH, "products that were 0 because the activation stood for zero"),
        Field("stall_ifmap", _WIDTH, "PE-cycles without a multiplication: no ifmap word"),
        Field("stall_filter", _WIDTH, "PE-cycles without a multiplication: filters not loaded"),
        Field("stall_psum_in", _WIDTH, "PE-cycles without a multiplication: no psum came in"),
        Field("stall_psum_out", _WIDTH, "PE-cycles without a multiplication: psum output blocked"),
        Field("glb_ifmap_words", _WIDTH, "buffer words that the ifmap engine read"),
        Field("glb_psum_read_beats", _WIDTH, "psum beats read from the buffer"),
        Field("glb_psum_write_beats", _WIDTH, "psum beats written to the buffer"),
        Field("glb_act_write_words", _WIDTH, "buffer words (or parts) written with results"),
        Field("link_in_words", _WIDTH, "64-bit words of the command stream"),
        Field("link_out_words", _WIDTH, "64-bit words of results"),
        Field("filter_words", _WIDTH, "64-bit words of filters, streamed or resident"),
        Field("passes", _WIDTH, "passes"),
    ),
    "Payload of a counter block: what happened since the last COUNTERS command (or reset).",
)
