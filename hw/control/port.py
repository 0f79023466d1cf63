"""What passes between the command decoder and the engine."""

from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import ceil_log2

from hw.arch.accesses import counter_block
from hw.arch.commands import ADDRESS, CODE, REGION, VECTOR
from hw.arch.config import LINK_WORD_BITS, Config
from hw.arch.patterns import col_pattern_words, row_pattern_words
from hw.base.layouts import layout
from hw.control.codes.payloads import DECODED
from hw.engines.tables import compact
from hw.engines.weights import weight_words
from hw.post.layouts import PARAM_LAYOUT
from hw.sequencer.walker import WORDS as CONV_WORDS


def control_port(config: Config) -> Signature:
    """The decoder's side of the port.

    Members
    -------
    descriptor, start_conv : words of a CONV descriptor, while `conv_ready`; begin
    conv_ready, walk_idle : no CONV waits for another's walk to end; all walks are over
    rows, cols, params, table, memory : words or entries of the tables and the weight memory
    vector, start_vector, vector_busy : descriptor of VECTOR; begin; under way
    region, load, loading : a box of the buffer; begin to load; that, or a code, is under way
    decoded : with `start_conv`, link words of filters whose code the payload is, or 0
    overrun, address : the box to load leaves the buffer, and where
    store, tag, storing : send the box as a data block; its tag; under way
    code : how its code looks, with `store`
    store_failed, store_status, store_value : the block ended badly; only `flush` helps
    load_words, filters : payload streams; block : the data block
    quiet : array, post-processor and vector engine are idle
    unfinished : CONV commands that have begun and not written all results, at most four
    surplus : filter words wait that no pass has taken
    progress : something moved in this cycle, for the watchdog
    counter_index, counter : a counter's place in its block, its value while `hold`;
    clear, hold : all back to zero; stand still while they are sent;
    link_in, link_out : a word passed on the links
    payload_last, bad_code : the word of `load_words` or `filters` is the payload's last; its code
        is damaged
    table_word : one of parameters or the vector engine's tables, with `control.access_counters`
    """
    word = stream.Signature(LINK_WORD_BITS)

    def pattern(patterns: int, words: int) -> Signature:
        return Signature(
            {
                "en": Out(1),
                "pattern": Out(ceil_log2(patterns)),
                "index": Out(ceil_log2(words)),
                "data": Out(LINK_WORD_BITS),
            }
        )

    return Signature(
        {
            "descriptor": Out(
                Signature(
                    {
                        "en": Out(1),
                        "index": Out(ceil_log2(CONV_WORDS)),
                        "data": Out(LINK_WORD_BITS),
                    }
                )
            ),
            "start_conv": Out(1),
            "walk_idle": In(1),
            "conv_ready": In(1),
            "rows": Out(pattern(config.control.row_patterns, row_pattern_words(config.array.rows))),
            "cols": Out(pattern(config.control.col_patterns, col_pattern_words(config.array.cols))),
            "params": Out(Signature({"en": Out(1), "channel": Out(16), "data": Out(PARAM_LAYOUT)})),
            "table": Out(Signature({"en": Out(1), "index": Out(8), "data": Out(LINK_WORD_BITS)})),
            "memory": Out(
                Signature(
                    {
                        "en": Out(1),
                        "index": Out(ceil_log2(max(weight_words(config), 2))),
                        "data": Out(LINK_WORD_BITS),
                    }
                )
            ),
            "vector": Out(layout(VECTOR)),
            "start_vector": Out(1),
            "vector_busy": In(1),
            "region": Out(compact(REGION)),
            "load": Out(1),
            "decoded": Out(DECODED),
            "loading": In(1),
            "overrun": In(1),
            "address": In(ADDRESS),
            "store": Out(1),
            "tag": Out(16),
            "code": Out(compact(CODE)),
            "storing": In(1),
            "store_failed": In(1),
            "store_status": In(8),
            "store_value": In(ADDRESS),
            "load_words": Out(word),
            "block": In(word),
            "filters": Out(word),
            "quiet": In(1),
            "unfinished": In(3),
            "surplus": In(1),
            "progress": In(1),
            "counter_index": Out(ceil_log2(len(counter_block(config).fields))),
            "counter": In(LINK_WORD_BITS),
            "clear": Out(1),
            "hold": Out(1),
            "link_in": Out(1),
            "link_out": Out(1),
            "payload_last": Out(1),
            "bad_code": In(1),
            **({"table_word": Out(1)} if config.control.access_counters else {}),
        }
    )
