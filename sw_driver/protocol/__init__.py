"""Frames, sessions and errors of the link, whatever carries the bytes."""
