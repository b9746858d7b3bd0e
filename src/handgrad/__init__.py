"""handgrad: write the backward pass by hand, prove it right line by line, and train with it."""
