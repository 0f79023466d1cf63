"""Operators that only move values, found among the host's steps and described for the array."""
