"""Sweeps: many recipes tried on a text, on this machine or on a cluster, and which of them is best.

`space` says what may be tried and `search` proposes it, `halving` which trials go on, `work` is what a worker does,
`on_ray` the workers, `connecting` the way to them; `driver` brings them together, and `records` is all that it
remembers: a sweep goes on from there.
"""
