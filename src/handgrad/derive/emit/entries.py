"""Tables of functions with their arguments and a template each, as `numpy_forms` has them."""

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """A function's arguments, a template in their names, and what is computed first: a name and a template."""

    arguments: ast.arguments
    template: str
    first: tuple[str, str] | None

    def bound(self, given: list[ast.expr], named: Mapping[str, ast.expr]) -> dict[str, ast.expr] | None:
        """What each argument is; None where the function does not take these."""
        plain = [a.arg for a in self.arguments.args]
        only = [a.arg for a in self.arguments.kwonlyargs]
        defaults = [*self.arguments.defaults, *(d for d in self.arguments.kw_defaults if d is not None)]
        known = dict(zip([*plain, *only][len(plain) + len(only) - len(defaults) :], defaults, strict=True))
        known |= dict(zip(plain, given, strict=False))
        rest = given[len(plain) :]
        if self.arguments.vararg is not None:
            known[self.arguments.vararg.arg] = rest[0] if len(rest) == 1 else ast.Tuple(rest, ast.Load())
        elif rest:
            return None
        renamed = {"dim" if word == "axis" and "dim" in plain else word: part for word, part in named.items()}
        if set(renamed) - {*plain, *only}:
            return None
        known |= renamed
        return known if known.keys() >= {*plain, *only} else None


@functools.cache
def entries(table: str) -> dict[str, Entry]:
    """The entries of a table by name."""
    found = {}
    for line in filter(None, table.replace("\n where ", " where ").split("\n")):
        head, _, rest = line.partition("): ")
        template, _, first = rest.partition(" where ")
        definition = ast.parse(f"def {head}): pass").body[0]
        assert isinstance(definition, ast.FunctionDef)
        name, _, text = first.partition(" = ")
        found[definition.name] = Entry(definition.args, template, (name, text) if first else None)
    return found
