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
"""The counters of every accelerator."""

ACCESS_COUNTERS = tuple(
    Field(name, _WIDTH, doc)
    for name, doc in (
        ("ifmap_spad_reads", "operands read from ifmap scratchpads, once for all steps of a word"),
        ("ifmap_spad_writes", "operands written to ifmap scratchpads, one for each PE"),
        ("filter_spad_reads", "rows of noc.filter weights read from filter scratchpads"),
        ("filter_spad_writes", "such rows written, one for each PE"),
        ("psum_spad_reads", "words of pe.macs psums read from psum scratchpads"),
        ("psum_spad_writes", "such words written, the zeros that begin a sum included"),
        ("psum_hops", "such words that a PE took from the one below"),
        ("psums_fed", "such words that PEs took from the buffer"),
        ("psums_collected", "such words that left the array"),
        ("ifmap_words_sent", "operands sent on the ifmap network, each once"),
        ("filter_words_resident", "64-bit words of filters read from the weight memory"),
        ("glb_filter_reads", "buffer words of filters read from the global buffer"),
        ("glb_act_write_lanes", "activations written to the buffer with results"),
        ("glb_vector_reads", "buffer words that the vector engine read"),
        ("glb_load_writes", "buffer words written by LOAD"),
        ("glb_store_reads", "buffer words read by STORE"),
        ("link_table_words", "payload of PARAMS and TABLE, 64-bit words"),
        ("link_filter_words", "payload of CONV"),
        ("link_memory_words", "payload of MEMORY"),
        ("link_load_words", "payload of LOAD"),
        ("link_store_words", "payload of data blocks"),
    )
)
"""Counters of single kinds of access, which `control.access_counters` adds to the block."""
