"""Tests of the merging, waiving and reporting of coverage."""
