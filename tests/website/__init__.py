"""Tests of the documentation site that need no Sphinx."""
