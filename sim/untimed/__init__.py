"""What executors without time have in common."""
