"""Which names a statement reads and writes, and which of them are gradients of which."""

import ast
import functools
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

GRADIENT_PATTERNS = tuple(
    re.compile(p)
    for p in (
        r"^d_?(?i:L|loss|J|cost)_{0,2}d_?(?P<of>.+)$",
        r"^d(?P<of>.+)$",
        r"^d_(?P<of>.+)$",
        r"^(?:grad|g|gradient)_(?P<of>.+)$",
        r"^(?P<of>.+)_(?:grad|gradient)$",
    )
)
"""How people name the gradient of `x`: dx, d_x, grad_x, x_grad, dL_dx."""


@functools.lru_cache(4096)
def variables_of(name: str) -> tuple[str, ...]:
    """The names that `name` might be the gradient of, best first.

    >>> variables_of("d_logits")
    ('logits', '_logits')
    """
    found = [m["of"] for p in GRADIENT_PATTERNS if (m := p.match(name))]
    return tuple(sorted(dict.fromkeys(found), key=lambda v: v.startswith("_")))


def gradient_of(name: str, known: Collection[str]) -> str | None:
    """The variable among `known` whose gradient is called `name`, or None.

    >>> gradient_of("dh_preact", {"hpreact", "h"})
    'hpreact'
    """
    candidates = variables_of(name)
    if not candidates:
        return None
    for variable in candidates:
        if variable in known:
            return variable
    bare = {k.replace("_", ""): k for k in known}
    for variable in candidates:
        if len(key := variable.replace("_", "")) > 1 and key in bare:
            return bare[key]
    return None


@dataclass
class Uses:
    """Names a statement loads, binds, and changes in place."""

    reads: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    counters: set[str] = field(default_factory=set)
    """Names bound as the target of a loop."""
    called: set[str] = field(default_factory=set)
    """Names of objects one of whose methods is called."""


def in_order(names: Collection[str], node: ast.AST) -> list[str]:
    """The names as a statement writes them from left to right; those that it does not show come last.

    >>> in_order({"dW", "db", "a"}, ast.parse("db, dW = f(dW)").body[0])
    ['db', 'dW', 'a']
    """
    stored = [n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    places: dict[str, tuple[int, int]] = {}
    for part in stored:
        here = getattr(part, "lineno", 0), getattr(part, "col_offset", 0)
        places[part.id] = min(places.get(part.id, here), here)
    return sorted(names, key=lambda name: (name not in places, places.get(name, (0, 0)), name))


_CHANGING_METHODS = re.compile("append|extend|insert|update|setdefault|pop|clear|remove|sort|reverse|fill")
_CHANGING_FUNCTIONS = {"at", "copyto", "putmask", "fill_diagonal"}
"""Functions of NumPy that change their first argument: `np.add.at`."""


def uses(node: ast.AST) -> Uses:
    """What the statement reads and writes, as far as its text shows.

    >>> u = uses(ast.parse("dlogits[range(n), Yb] -= 1").body[0])
    >>> sorted(u.reads), sorted(u.binds), sorted(u.changes)
    (['Yb', 'dlogits', 'n', 'range'], [], ['dlogits'])
    """
    visitor = _Uses()
    visitor.visit(node)
    return visitor.found


def needs(node: Any) -> set[str]:
    """The names whose values from before a statement it may read; a loop may give others theirs in each round anew.

    >>> sorted(needs(ast.parse("for i in range(n):\\n  ix = Xb[i]\\n  dC[ix] += demb[i]").body[0]))
    ['Xb', 'dC', 'demb', 'n', 'range']
    """
    if isinstance(node, ast.For):
        rounds = _needed_in_turn([*node.body, *node.orelse]) - uses(node.target).binds
        return uses(node.iter).reads | uses(node.target).reads | rounds
    if isinstance(node, ast.While | ast.If):
        return uses(node.test).reads | _needed_in_turn(node.body) | _needed_in_turn(node.orelse)
    if isinstance(node, ast.With):
        given = [uses(item) for item in node.items]
        bound = set().union(*(found.binds for found in given))
        return set().union(*(found.reads for found in given)) | _needed_in_turn(node.body) - bound
    return uses(node).reads


def _needed_in_turn(body: list[ast.stmt]) -> set[str]:
    needed: set[str] = set()
    bound: set[str] = set()
    for node in body:
        needed |= needs(node) - bound
        bound |= _surely_bound(node)
    return needed


def _surely_bound(node: Any) -> set[str]:
    if isinstance(node, ast.If):
        return set.intersection(*(set().union(*map(_surely_bound, body)) for body in (node.body, node.orelse)))
    if isinstance(node, ast.With):
        return set().union(*map(_surely_bound, node.body))
    return set() if isinstance(node, ast.For | ast.While | ast.Try) else uses(node).binds


def base_name(node: ast.expr) -> str | None:
    """The name at the root of `a.b[c].d`, or None."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return base_name(node.func.value)
    return node.id if isinstance(node, ast.Name) else None


class _Uses(ast.NodeVisitor):
    def __init__(self):
        self.found = Uses()

    def visit_Name(self, node):
        (self.found.reads if isinstance(node.ctx, ast.Load) else self.found.binds).add(node.id)

    def visit_AugAssign(self, node):
        if isinstance(node.target, ast.Name):
            self.found.reads.add(node.target.id)
            self.found.changes.add(node.target.id)
        else:
            self._change(node.target)
            self.visit(node.target)
        self.visit(node.value)

    def visit_For(self, node):
        self.found.counters |= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
        self.generic_visit(node)

    def visit_Subscript(self, node):
        if not isinstance(node.ctx, ast.Load):
            self._change(node)
        self.generic_visit(node)

    def visit_Attribute(self, node):
        if not isinstance(node.ctx, ast.Load):
            self._change(node)
        self.generic_visit(node)

    def visit_Call(self, node):
        if isinstance(node.func, ast.Attribute):
            method = node.func.attr
            if owner := base_name(node.func.value):
                self.found.called.add(owner)
            if (method.endswith("_") and not method.endswith("__")) or _CHANGING_METHODS.fullmatch(method):
                self._change(node.func.value)
            if method in _CHANGING_FUNCTIONS and node.args:
                self._change(node.args[0])
        for keyword in node.keywords:
            if keyword.arg == "out":
                self._change(keyword.value)
        self.generic_visit(node)

    def visit_FunctionDef(self, node):
        self.found.binds.add(node.name)
        for part in [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.visit(part)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the names that ast looks for

    def visit_ClassDef(self, node):
        self.found.binds.add(node.name)
        inside = _Uses()
        for part in [*node.bases, *node.body]:
            inside.visit(part)
        self.found.reads |= inside.found.reads - inside.found.binds

    def visit_Lambda(self, node):
        inside = _Uses()
        inside.visit(node.body)
        self.found.reads |= inside.found.reads - {a.arg for a in node.args.args}

    def _comprehension(self, node):
        inside = _Uses()
        inside.generic_visit(node)
        self.found.reads |= inside.found.reads - inside.found.binds
        self.found.changes |= inside.found.changes - inside.found.binds

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815

    def visit_Import(self, node):
        self.found.binds |= {(a.asname or a.name).split(".")[0] for a in node.names}

    visit_ImportFrom = visit_Import  # noqa: N815

    def visit_ExceptHandler(self, node):
        if node.name:
            self.found.binds.add(node.name)
        self.generic_visit(node)

    def _change(self, target):
        if name := base_name(target):
            self.found.changes.add(name)
            self.found.reads.add(name)
