"""Single edits of a line: what people most often meant instead of what they wrote.

Every rule is a small generator registered for the kind of syntax it changes. Adding a mistake that the checker should
recognise is adding one rule to the module it belongs to.
"""

from handgrad.checker.explain.edits import constants, factors, functions, indices, names, operators, statements, sums
from handgrad.checker.explain.edits.core import Context
from handgrad.checker.explain.edits.factors import scales
from handgrad.checker.explain.edits.walk import edits

RULE_MODULES = (names, constants, operators, sums, functions, indices, factors, statements)
"""The modules whose import registers their rules."""

__all__ = ["RULE_MODULES", "Context", "edits", "scales"]
