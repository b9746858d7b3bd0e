"""What the names and the parts of forward lines are: their values, and whether a gradient comes to them."""

import ast
from collections.abc import Hashable, Sequence
from typing import Any

from handgrad.derive.lines.running import modules, numbers_in
from handgrad.derive.lines.steps import named
from handgrad.derive.lines.terms import rebuilt
from handgrad.derive.read.calls import Call, call_of, evaluated, is_array
from handgrad.derive.read.program import Line, Loop, Program, Store
from handgrad.derive.rules.elementwise import GRADIENT_FREE

OUTPUTS = (("values", "indices"), ("sign", "logabsdet"), ("eigenvalues", "eigenvectors"), ("Q", "R"))
"""The names of the outputs of functions that return several, in their order."""

PLAIN = (ast.Name, ast.Constant, ast.Attribute, ast.Call, ast.keyword, ast.UnaryOp, ast.USub, ast.Tuple, ast.Load)
"""What the source of a function of variables is made of."""

DRAWN = frozenset({"dropout", "bernoulli", "rand_like", "randn_like", "randint_like"})
"""Functions that return something else each time."""


class Scope:
    """A program's names and the parts of its lines, each evaluated once."""

    def __init__(self, program: Program, outer: "Scope | None" = None, loop: Loop | None = None):
        """See the class."""
        self.program = program
        self.names = {**modules(), **program.values} if outer is None else dict(outer.names)
        self.parts: Sequence[Line | Loop | Store] = program.lines if loop is None else loop.body
        if loop is not None:
            self.names.update(loop.rounds[min(1, len(loop.rounds) - 1)])
        self.lines = [line for line in self.parts if isinstance(line, Line)]
        self.makers = dict(outer.makers) if outer is not None else {}
        self.makers.update({target: line for line in self.lines for target in line.targets})
        self._values: dict[int, tuple[ast.expr, Any]] = {}
        self._calls: dict[int, tuple[ast.expr, Call | None]] = {}
        self._reached: dict[int, tuple[ast.expr, bool]] = {}
        self._standing: dict[str, ast.expr] = {}
        self._resolved: dict[int, tuple[ast.expr, ast.expr]] = {}
        self._active = set(outer._active) if outer is not None else set(program.inputs)
        for line in self.lines:
            if len(line.targets) == 1:
                self._values[id(line.value)] = line.value, as_tensors(self.names[line.targets[0]])
        self._made: dict[Hashable, str] = outer._made if outer is not None else {}
        if outer is None:
            self._made |= {self._meaning(line.value): line.targets[0] for line in self.lines if len(line.targets) == 1}
        self._learn(loop)

    def inside(self, loop: Loop) -> "Scope":
        """The scope of a round of a loop: what its names were in one of the rounds."""
        return Scope(self.program, self, loop)

    def _learn(self, loop: Loop | None) -> None:
        """Find out to which names a gradient comes; in a loop one may come round by round."""
        while True:
            before = len(self._active)
            for carried in loop.carried if loop is not None else ():
                if not self._active.isdisjoint({carried.start, carried.leaving}):
                    self._active.add(carried.entering)
            for part in self.parts:
                self._learn_part(part)
            if len(self._active) == before:
                return
            self._reached.clear()

    def _learn_part(self, part: Line | Loop | Store) -> None:
        match part:
            case Line():
                if self.active(part.value):
                    self._active.update(part.targets)
            case Store():
                if self.active(part.value):
                    self._active.add(part.container)
            case Loop():
                self._active.update(stored.name for stored in part.stored if self.active(stored.start))
                inside = self.inside(part)
                self._active.update(inside._active)

    @property
    def hides_functional(self) -> bool:
        """Whether `F` is a variable of the program's, and not the module."""
        return self.names["F"] is not modules()["F"]

    def value(self, node: ast.expr) -> Any:
        """What an expression was when the lines ran, tensors of PyTorch in the place of arrays."""
        if id(node) not in self._values:
            with numbers_in("float64"):
                self._values[id(node)] = node, as_tensors(self._evaluated(node))
        return self._values[id(node)][1]

    def _evaluated(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if any(isinstance(part, ast.Slice) for part in (getattr(node, "elts", None) or [node])):
            node = ast.Subscript(ast.Name("the index", ast.Load()), node, ast.Load())
            return evaluated(node, {**self.names, "the index": _Index()})
        return evaluated(node, self.names)

    def call(self, node: ast.expr) -> Call | None:
        """The call that an expression is, if it is one that is known."""
        if id(node) not in self._calls:
            self._calls[id(node)] = node, self._understood(call_of(node, self.names))
        return self._calls[id(node)][1]

    def _understood(self, call: Call | None) -> Call | None:
        """A call by the name of what it does: `torch.max(x, other)` is `torch.maximum`."""
        if call is not None and call.name in ("max", "min") and is_array(self.value(call["dim"])):
            return Call(f"{call.name}imum", {"x": call["x"], "other": call["dim"]}, call.node)
        return call

    def projected(self, node: ast.expr) -> tuple[ast.expr, int | None]:
        """The call with several outputs that an expression takes one of, and which; otherwise the expression."""
        match node:
            case ast.Attribute(whole, attr) if any(attr in names for names in OUTPUTS) and self._several(whole):
                return self.made(whole), next(names.index(attr) for names in OUTPUTS if attr in names)
            case ast.Subscript(whole, index) if self._several(whole) and isinstance(self.value(index), int):
                return self.made(whole), self.value(index)
        return node, None

    def _several(self, node: ast.expr) -> bool:
        return isinstance(self.value(node), tuple | list) and self.call(self.made(node)) is not None

    def made(self, node: ast.expr) -> ast.expr:
        """What a name was given; another expression as it is."""
        node = self.stands_for(node)
        line = self.makers.get(node.id) if isinstance(node, ast.Name) else None
        return line.value if line and len(line.targets) == 1 else node

    def stand_in(self, node: ast.expr) -> ast.Name:
        """A name that stands for an expression."""
        name = f"part {len(self._standing)}"
        self._standing[name] = node
        self.names[name] = self.value(node)
        if self.active(node):
            self._active.add(name)
        return ast.Name(name, ast.Load())

    def stands_for(self, node: ast.expr) -> ast.expr:
        """The expression that a name stands for; any other expression itself."""
        return self._standing.get(node.id, node) if isinstance(node, ast.Name) else node

    def resolved(self, node: ast.expr) -> ast.expr:
        """An expression without names that stand for others."""
        if id(node) not in self._resolved:
            self._resolved[id(node)] = node, self._with_parts(node)
        return self._resolved[id(node)][1]

    def _with_parts(self, node: ast.expr) -> ast.expr:
        if not any(self.stands_for(part) is not part for part in ast.walk(node) if isinstance(part, ast.Name)):
            return node
        swap = named(lambda name: self.resolved(self._standing[name]) if name in self._standing else None)
        return rebuilt(node, swap)

    def name_of(self, node: ast.expr) -> str | None:
        """The variable that has, by its line, the value of a call of a function of variables; None where none has."""
        return self._made.get(meaning) if (meaning := self._meaning(node)) is not None else None

    def _meaning(self, node: ast.expr) -> Hashable:
        """What a call of a function of variables does, however it is written; None for anything else."""
        if not isinstance(node, ast.Call) or not all(isinstance(part, PLAIN) for part in ast.walk(node)):
            return None
        call = self.call(node)
        if call is None or not call.name.islower() or call.name in DRAWN:
            return None
        rank = getattr(self.value(call["x"]), "ndim", 0) if "x" in call.arguments else 0
        meaning: list[Hashable] = [call.name]
        for argument, part in sorted(call.arguments.items()):
            value = part.id if isinstance(part, ast.Name) else self.value(part)
            if argument == "dim" and isinstance(value, int):
                value %= max(rank, 1)
            meaning.append((argument, str(value + 0) if isinstance(value, int) else str(value)))
        return tuple(meaning)

    def active(self, node: ast.expr) -> bool:
        """Whether an input is reached through an expression."""
        if isinstance(node, ast.Name):
            return node.id in self._active and has_floats(self.value(node))
        if id(node) not in self._reached:
            self._reached[id(node)] = node, self._is_active(node)
        return self._reached[id(node)][1]

    def _is_active(self, node: ast.expr) -> bool:
        if not any(isinstance(n, ast.Name) and n.id in self._active for n in ast.walk(node)):
            return False
        if isinstance(node, ast.Tuple | ast.List | ast.Dict):
            return any(self.active(part) for part in (node.values if isinstance(node, ast.Dict) else node.elts))
        if self.value(node) is not None and not has_floats(self.value(node)):
            return False
        call = self.call(self.projected(node)[0])
        if call is None:
            return any(self.active(part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))
        return call.name not in GRADIENT_FREE and any(self.active(part) for part in call.arguments.values())


class _Index:
    def __getitem__(self, index: Any) -> Any:
        return index


def as_tensors(value: Any) -> Any:
    """The value with tensors in the place of NumPy's arrays and numbers."""
    if type(value) in (list, tuple):
        return type(value)(as_tensors(element) for element in value)
    if type(value) is dict:
        return {key: as_tensors(element) for key, element in value.items()}
    if is_array(value) and type(value).__module__ == "numpy":
        return modules()["torch"].as_tensor(value.copy())
    return value


def has_truths(value: Any) -> bool:
    """Whether the value is a tensor of truth values."""
    return is_array(value) and str(value.dtype).endswith("bool")


def has_floats(value: Any) -> bool:
    """Whether the value is a tensor of floats or complex numbers, or has one in it."""
    if isinstance(value, tuple | list | dict):
        return any(has_floats(part) for part in (value.values() if isinstance(value, dict) else value))
    return is_array(value) and any(kind in str(value.dtype) for kind in ("float", "complex"))
