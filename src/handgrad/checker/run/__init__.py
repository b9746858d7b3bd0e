"""Run a program once, statement by statement, and record what every one read, wrote and made."""
