"""Why a line is wrong, and what it should be."""
