"""Single edits of a line: what people most often meant instead of what they wrote.

Every rule is a small generator registered for the kind of syntax it changes. Adding a mistake that the checker should
recognise is adding one rule to the module it belongs to.
"""

from handgrad.checker.edits import constants, factors, functions, indices, names, operators, statements, sums
from handgrad.checker.edits.core import Context, Edit, in_place, locate, statement
from handgrad.checker.edits.factors import scales
from handgrad.checker.edits.walk import edits, simple_statements

RULE_MODULES = (names, constants, operators, sums, functions, indices, factors, statements)
"""The modules whose import registers their rules."""

__all__ = ["RULE_MODULES", "Context", "Edit", "edits", "in_place", "locate", "scales", "simple_statements", "statement"]
