"""Lay calls, dict entries and attributes out as plain names, so that each line inside them is judged as its own.

`h = layer.forward(x)` becomes the lines of `forward`, where a local name `z` of the third call is called `z·3`.
`grads["W"]` becomes the name `grads·W`, and `self.x` the name `layer·x`; the dict and the object are kept up to date.
A dot in the middle is a letter to Python, so these are names like any others; `Flattener.shown` turns them back.
"""

from handgrad.checker.run.flat.calls import Flattener

__all__ = ["Flattener"]
