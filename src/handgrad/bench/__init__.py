"""A training step of the engine beside what one would write or pick instead, timed on this machine."""
