"""Encoders and decoders of activations on the link."""
