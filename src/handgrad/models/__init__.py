"""Models: operations put together into forward and backward."""
