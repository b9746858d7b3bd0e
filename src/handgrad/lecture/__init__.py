"""The notebook "makemore part 4: becoming a backprop ninja", end to end, beside its published figures."""
