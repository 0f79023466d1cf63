"""Commands that measure, and write what they found with command, commit and versions."""
