"""Random bursts on memories, every word and every cycle compared."""
