"""The compiled CPU form of training, evaluation and sampling: NumPy in and out, gradients by hand, no torch.

A model is a tape of kernels, see `handgrad.engine.tape`; a kernel is compiled when it is first needed, and kept.
"""
