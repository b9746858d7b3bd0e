"""The forward pass of a user's program: found in it as it is, run up to its loss, and written on below it."""
