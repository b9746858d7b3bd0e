"""A course in deriving gradients by hand: exercises, solutions, hints, and the runner that checks them."""
