"""Proofs on many configurations, and mistakes that they must find."""
