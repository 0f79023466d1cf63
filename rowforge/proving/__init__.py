"""Proofs of a configuration's gateware: yosys translates, a solver decides."""
