"""Each family in plain `torch.nn`: the classes whose source an exported file is made of.

All take tokens, (N, T) int64, lines with the boundary 0 before them, and return the log-probability of each token that
may follow each place, (N, T, vocab_size) float32. None needs anything of handgrad.
"""
