"""The processor that takes the place of decoder and engines: its firmware, without gateware."""
