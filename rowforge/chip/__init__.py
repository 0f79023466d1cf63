"""The published chip's own schedule: its mappings, and what they access without a program."""
