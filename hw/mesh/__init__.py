"""What joins clusters: words go to them, and their results come back in a defined order."""
