"""Tests of `rowforge.commands`."""
