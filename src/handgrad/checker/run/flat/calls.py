"""Lay the functions that a statement calls out in its place, and give entries and attributes names."""

import ast
import copy
import inspect
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from types import FunctionType, MethodType
from typing import Any

import torch
from torch.nn import Module

from handgrad.checker.place import Place
from handgrad.checker.read.compared import compared
from handgrad.checker.read.names import gradient_of, uses, variables_of
from handgrad.checker.read.source import Source, Statement, exchanged, inner, segment
from handgrad.checker.read.spelling import (
    DOT,
    GRADIENT_MODES,
    GRADIENTS_ON,
    are_halves,
    bare,
    called_name,
    is_dict_of_gradients,
    number_of,
)
from handgrad.checker.read.words import Words
from handgrad.checker.run.flat.elements import Elements
from handgrad.checker.run.flat.entries import LONGEST_LIST, Entries, Renaming, assignment, placed
from handgrad.checker.run.flat.parameters import Parameters, has_hooks
from handgrad.checker.run.flat.parts import loss_apart
from handgrad.checker.run.machine import Machine

_BACKWARD = re.compile(r"back|bwd|bprop|grad|loss|cost|step|train|main|fit|run", re.IGNORECASE)
MOST_CALLS = 400
DEEPEST = 12


@dataclass(frozen=True)
class Scope:
    """One call that was laid out: its function, the object it is a method of, and the names it reads from outside."""

    function: str
    owner: str | None
    parameters: list[str]
    outside: set[str]
    backward: bool


@dataclass(frozen=True)
class Callee:
    """A function of the user's that is called: its definition, the statement that stands in, its object and class."""

    node: ast.FunctionDef
    statement: Statement
    receiver: ast.expr | None
    within: str | None


class Flattener:
    """Lays statements out while the program runs, since only then it is known what a name stands for.

    A program whose gradients are all plain names is left as it is.
    """

    def __init__(self, machine: Machine, source: Source):
        """Find the user's functions."""
        self.machine = machine
        self.words = Words(source)
        self.active = self.words.in_entries_or_calls or self.words.uses_modules
        self.entries = Entries(machine)
        self.elements = Elements(self.entries, self.words.beside)
        self.parameters = Parameters(self.entries)
        self._compared = compared(source.statements)
        self.scopes: list[Scope] = []
        self.not_entered: dict[Place, str] = {}
        self._definitions = {
            _key(node): (node, statement)
            for statement in source.statements
            for node in ast.walk(statement.node)
            if isinstance(node, ast.FunctionDef)
        }
        self._running: list[ast.FunctionDef] = []
        self._versions: dict[str, str] = {}
        self._first = 0

    def computes_gradients(self, name: str) -> bool:
        """Whether a local name is one of a function that is called like one for gradients."""
        number = number_of(name)
        return number is None or bool(_BACKWARD.search(self.scopes[number].function))

    def begin(self) -> None:
        """Another pass begins: its backward functions belong to its own forward functions."""
        self._first = len(self.scopes)
        self.elements.begin()

    def matters(self, node: ast.AST) -> bool:
        """Whether gradients are computed where only this class sees them: in an entry, or in a function called."""
        return self.active and self.words.computes_gradients(node)

    def shown(self, text: str) -> str:
        """The text with entries and attributes as the user writes them, and without the numbers of calls."""
        for name, entry in self.entries.found.items():
            text = exchanged(text, name, entry.text)
        return bare(text)

    # --- which variable a name is the gradient of ------------------------------------------------------------------

    def variable_of(self, name: str, known: set[str]) -> str | None:
        """The variable among `known` that `name` is the gradient of."""
        if (found := next((v for v in self.elements.variables(name) if v in known), None)) is not None:
            return found
        if name in self.entries.found:
            places = self._places_of_entry(name, known)
        elif (number := number_of(name)) is not None:
            places = self._places_of_local(bare(name), number, known)
        elif (found := gradient_of(name, {n for n in known if DOT not in n})) is not None:
            return found
        elif self._compared.get(name) in known:
            return self._compared[name]
        else:
            places = (self._only_entry(key, known) for key in variables_of(name))
        found = next((place for place in places if place in known), None)
        return found or next(self.parameters.variables(name, known), None)

    def _places_of_local(self, name: str, number: int, known: set[str]) -> Iterator[str]:
        """Its own call, its object, outside where it looks there, the forward half; what a parameter is, others say."""
        scope = self.scopes[number]
        for variable in variables_of(name) if name not in scope.parameters else ():
            yield f"{variable}{DOT}{number}"
            if scope.owner:
                yield f"{scope.owner}{DOT}{variable}"
            if variable in scope.outside:
                yield variable
            if (half := self._forward_half(scope)) is not None:
                yield f"{variable}{DOT}{half}"
            if scope.backward and (entry := self._only_entry(variable, known)) is not None:
                yield entry

    def _forward_half(self, scope: Scope) -> int | None:
        """The call of the forward function that a backward one belongs to, where there is one call alone of either."""
        calls = [i for i in range(self._first, len(self.scopes)) if self.scopes[i].owner == scope.owner]
        calls = [i for i in calls if are_halves(self.scopes[i].function, scope.function) and self.scopes[i].function]
        forward = [i for i in calls if not self.scopes[i].backward]
        return forward[0] if len(forward) == 1 and len(calls) == 2 and scope.backward else None

    def _places_of_entry(self, name: str, known: set[str]) -> Iterator[str | None]:
        entry = self.entries.found[name]
        keys = variables_of(entry.key)
        if entry.is_attribute and entry.key == "grad":
            yield entry.path
        yield from (f"{entry.path}{DOT}{key}" for key in keys)
        holder, _, within = entry.path.partition(DOT)
        if within and is_dict_of_gradients(holder):
            ends = [f"{DOT}{within}{DOT}{key}" for key in (entry.key, *keys)]
            yield from sorted(n for n in known if n.endswith(tuple(ends)) and not n.startswith(holder + DOT))
        if entry.is_attribute and not is_dict_of_gradients(entry.path):
            calls = [i for i in range(self._first, len(self.scopes)) if self.scopes[i].owner == entry.path]
            forward = [i for i in calls if not self.scopes[i].backward]
            yield from (f"{key}{DOT}{forward[0]}" for key in keys if len(forward) == 1)
            return
        made_in = number_of(entry.path)
        for key in [entry.key, *keys] if is_dict_of_gradients(entry.path) else keys:
            yield key
            yield self._only_entry(key, known, entry.path.rpartition(DOT)[0]) or self._only_entry(key, known)
            if made_in is not None:
                yield f"{key}{DOT}{made_in}"

    def _only_entry(self, key: str, known: set[str], holder: str = "") -> str | None:
        """The entry of this key, where there is one alone; with `holder`, the one in a dict of that object."""
        found = [
            name
            for name, entry in self.entries.found.items()
            if entry.key == key and name in known and not is_dict_of_gradients(entry.path)
            if not holder or entry.path.rpartition(DOT)[0] == holder
        ]
        return found[0] if len(found) == 1 else None

    # --- laying out ------------------------------------------------------------------------------------------------

    def lower(self, statement: Statement) -> Iterator[Statement]:
        """The statements that a statement stands for; each has to be run before the next is asked for.

        Those that are `laid_out` can be run as they are, the others have to be lowered themselves.
        """
        node = statement.node
        spells = isinstance(node, ast.For) and self.words.spells_gradient(node)
        if parts := loss_apart(node, self.words.is_loss) if spells else []:
            yield from (replace(statement, node=part) for part in parts)
            return
        if not self.active or isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            yield replace(statement, laid_out=True)
            return
        if isinstance(node, ast.For) and self._goes_over_objects(node):
            yield from self._unrolled(node, statement)
            return
        for named in self.parameters.named(node):
            yield replace(statement, node=named, laid_out=True, role="entry")
        if self.words.has_elements:
            for named in self.elements.parameters(node):
                yield replace(statement, node=named, laid_out=True, role="entry")
        node = _Renamed(self._versions).visit(copy.deepcopy(node))
        version = self._version_after(node)
        if isinstance(node, ast.Assign) and (entries := self.words.entries(node)):
            yield from self._entry_by_entry(node, entries, statement)
        elif (value := getattr(node, part := _HOLDS.get(type(node), ""), None)) is not None:
            setattr(node, part, (yield from self._without_calls(value, statement)))
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Name | ast.Constant):
                return
        self._note_what_is_not_entered(node, statement)
        renaming = Renaming(self.entries, node, statement.code)
        new = ast.fix_missing_locations(renaming.visit(node))
        for name, access in renaming.loads.items():
            yield replace(statement, node=assignment(name, access, node), laid_out=True, role="entry")
        yield replace(statement, node=new, spelling=(*statement.spelling, *renaming.texts), laid_out=True)
        self._versions.update(version)
        for store in renaming.take_stores(node):
            yield replace(statement, node=store, laid_out=True, role="entry")
        if self.words.has_elements:
            for named in self.elements.made(statement.node):
                yield replace(statement, node=named, laid_out=True, role="element")

    def _note_what_is_not_entered(self, node: ast.stmt, statement: Statement) -> None:
        """Keep where a function is called that puts gradients where only its own lines can be seen to."""
        for call in (part for part in ast.walk(node) if isinstance(part, ast.Call)):
            name, receiver = called_name(call), getattr(call.func, "value", None)
            if name in self.words.storing and not isinstance(self.entries.resolve(receiver), torch.Tensor):
                self.not_entered[statement.place] = bare(name)

    def _version_after(self, node: ast.stmt) -> dict[str, str]:
        """A new name for a gradient that a call turns into the next one: `dx = layer.backward(dx)`."""
        if not isinstance(node, ast.Assign) or len(node.targets) > 1:
            return {}
        target = node.targets[0]
        if not isinstance(target, ast.Name) or DOT in target.id or not variables_of(target.id):
            return {}
        name = target.id
        self._versions.pop(name, None)
        reads = {bare(n.id) for n in ast.walk(node.value) if isinstance(n, ast.Name)}
        if name not in reads or not any(self._callee(call) for call in _strict_calls(node.value)):
            return {}
        target.id = f"{name}{DOT}{self._open(Scope('', None, [name], set(), False))}"
        return {name: target.id}

    def _entry_by_entry(self, node: Any, entries: list[tuple[str, ast.expr]], statement: Statement):
        """Each entry of `grads = {"W": ...}` at its own line, then the dict."""
        name = node.targets[0].id
        for i, (key, value) in enumerate(entries):
            entry = self.entries.add(name, key, False)
            place = statement.place.at(value.lineno)
            text, spelling = segment(statement.code, value), ((f"{entry} = ", ""), *statement.spelling)
            yield replace(statement, node=assignment(entry, value, value), text=text, place=place, spelling=spelling)
            node.value.values[i] = placed(ast.Name(entry, ast.Load()), value)

    def _goes_over_objects(self, node: ast.For) -> bool:
        """Whether a loop calls its counter, or a method of it."""
        counters = {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
        if node.orelse or any(isinstance(n, ast.Break | ast.Continue) for n in ast.walk(node)):
            return False
        methods = {name for name, _ in self._definitions}
        for call in (n for n in ast.walk(node) if isinstance(n, ast.Call)):
            receiver = call.func.value if isinstance(call.func, ast.Attribute) else call.func
            known = receiver is call.func or called_name(call) in methods
            if known and isinstance(receiver, ast.Name) and receiver.id in counters:
                return True
        return False

    def _unrolled(self, node: ast.For, statement: Statement) -> Iterator[Statement]:
        items = f"items{DOT}{self._open(Scope('', None, [], set(), False))}"
        each = ast.Call(ast.Name("list", ast.Load()), [copy.deepcopy(node.iter)], [])
        yield replace(statement, node=assignment(items, each, node), role="entry")
        for i in range(min(len(self.machine.namespace.get(items, ())), LONGEST_LIST)):
            item = ast.Subscript(ast.Name(items, ast.Load()), ast.Constant(i), ast.Load())
            take = placed(ast.Assign([copy.deepcopy(node.target)], item), node.target)
            yield replace(statement, node=take, laid_out=True, role="entry")
            yield from inner(statement, node.body)

    # --- calls -----------------------------------------------------------------------------------------------------

    def _open(self, scope: Scope) -> int:
        self.scopes.append(scope)
        return len(self.scopes) - 1

    def _without_calls(self, value: ast.expr, statement: Statement) -> Generator[Statement, None, ast.expr]:
        """The expression with the results in the place of the calls that are laid out before it."""
        for call in _strict_calls(value):
            if isinstance(call.func, ast.Attribute) and self._makes_object(call.func.value):
                made = ast.Name(f"made{DOT}{self._open(Scope('', None, [], set(), False))}", ast.Load())
                yield replace(statement, node=assignment(made.id, call.func.value, call), role="entry")
                call.func.value = placed(made, call)
            if (callee := self._callee(call)) is not None:
                result = yield from self._laid_out(call, callee, statement)
                value = _Exchange(call, result).visit(value)
        return value

    def _callee(self, call: ast.Call) -> Callee | None:
        """The function that is called, where its body can stand in the place of the call."""
        function, receiver = self.entries.resolve(call.func), None
        if isinstance(function, MethodType):
            function, receiver = function.__func__, getattr(call.func, "value", None)
            if receiver is None:
                return None
            receiver = receiver.args[1] if isinstance(receiver, ast.Call) else receiver
        elif isinstance(function, Module):
            if not self.entries.is_users(function) or has_hooks(function):
                return None
            function, receiver = type(function).forward, call.func
        elif self.entries.is_users(function):
            function, receiver = inspect.getattr_static(type(function), "__call__", None), call.func
        plain = inspect.unwrap(function) if isinstance(function, FunctionType) else None
        if not isinstance(plain, FunctionType) or plain.__globals__ is not self.machine.namespace:
            return None
        if set(plain.__code__.co_freevars) - {"__class__"}:  # names of a call that was not laid out
            return None
        found = self._definitions.get((plain.__name__, plain.__code__.co_firstlineno))
        if found is None or len(self._running) > DEEPEST or len(self.scopes) > MOST_CALLS:
            return None
        node, statement = found
        if node in self._running:
            return None
        if not all(GRADIENT_MODES.search(f"{ast.unparse(decorator)}(") for decorator in _changing(node)):
            return None
        call.args = [part for argument in call.args for part in self._spread(argument)]
        callee = Callee(node, statement, receiver, self._class_of(function, receiver))
        return callee if _can_stand_alone(callee, call) else None

    def _spread(self, argument: ast.expr) -> list[ast.expr]:
        """The arguments that `*args` stands for, where it is known how many they are."""
        if not isinstance(argument, ast.Starred):
            return [argument]
        given = self.entries.resolve(argument.value)
        if not isinstance(given, tuple | list):
            return [argument]
        items = [ast.Subscript(argument.value, ast.Constant(i), ast.Load()) for i in range(len(given))]
        return [placed(item, argument) for item in items]

    def _class_of(self, function: FunctionType, receiver: ast.expr | None) -> str | None:
        """The name of the class that a method is written in, as `super()` needs it."""
        classes = type(self.entries.resolve(receiver)).__mro__ if receiver is not None else ()
        names = [c.__name__ for c in classes if function in vars(c).values()]
        return next((name for name in names if self.machine.namespace.get(name) in classes), None)

    def _makes_object(self, node: ast.expr) -> bool:
        """Whether this is an object made on the spot, as in `Trainer(x).train()`."""
        return isinstance(node, ast.Call) and self.entries.is_users_class(self.entries.resolve(node.func))

    def _laid_out(self, call: ast.Call, callee: Callee, statement: Statement) -> Generator[Statement, None, ast.expr]:
        """The arguments as assignments, the body with its names numbered, and the result as one more name."""
        node, receiver = callee.node, callee.receiver
        body = [n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
        parameters = [a.arg for a in node.args.args]
        local = _local_names(node)
        outside = set().union(*(uses(n).reads for n in body)) - local
        owner = self.entries.path(receiver, self.entries.resolve(receiver)) if receiver is not None else None
        function = bare(node.name)
        backward = function in self.words.backward_functions or function == "backward"
        scope = Scope(function, owner, parameters, outside, backward)
        number = self._open(scope)
        for name, argument in _arguments(node, call, receiver).items():
            handed = assignment(f"{name}{DOT}{number}", copy.deepcopy(argument), call)
            yield replace(statement, node=handed, role=statement.role or "argument", spelling=())
        numbered = _Numbered(local, number, (callee.within, parameters[0]) if callee.within else None)
        renamed = [numbered.visit(copy.deepcopy(n)) for n in body]
        self._definitions.update({_key(f): (f, callee.statement) for n in renamed for f in _functions_in(n)})
        result: ast.expr = ast.Constant(None)
        self._running.append(node)
        before = torch.is_grad_enabled()
        try:
            if modes := _changing(node):
                torch.set_grad_enabled(GRADIENTS_ON.search(ast.unparse(modes[0])) is not None)
            for part in self._up_to_return(inner(replace(callee.statement, role=""), renamed), f"test{DOT}{number}"):
                if isinstance(part.node, ast.Return) and part.node.value is not None:
                    name = self._name_of_result(scope, part.node, number)
                    spelling = ((f"{name} = ", "return "),)
                    yield replace(part, node=assignment(name, part.node.value, part.node), spelling=spelling)
                    result = ast.Name(name, ast.Load())
                elif not isinstance(part.node, ast.Return):
                    yield part
        finally:
            torch.set_grad_enabled(before)
            self._running.pop()
        return placed(result, call)

    def _up_to_return(self, body: list[Statement], test: str) -> Generator[Statement, None, bool]:
        """The statements up to the `return` that is met; of an `if` with one inside, the branch that is taken."""
        for part in body:
            if isinstance(part.node, ast.If) and _returns(part.node):
                yield replace(part, node=assignment(test, part.node.test, part.node.test), role="entry")
                taken = part.node.body if self.machine.namespace.get(test) else part.node.orelse
                if (yield from self._up_to_return(inner(part, taken), test)):
                    return True
            else:
                yield part
                if isinstance(part.node, ast.Return):
                    return True
        return False

    def _name_of_result(self, scope: Scope, node: ast.Return, number: int) -> str:
        """`dx` for what the method `backward` returns, where its forward half has one input `x`."""
        if scope.owner and scope.function == "backward" and not isinstance(node.value, ast.Tuple | ast.Name | ast.Dict):
            half = self._forward_half(scope)
            if half is not None and len(parameters := self.scopes[half].parameters) == 2:
                return f"d{parameters[1]}{DOT}{number}"
        return f"returned{DOT}{number}"


class _Numbered(ast.NodeTransformer):
    """Gives the local names of one call its number; `method` is its class and the name of its object."""

    def __init__(self, local: set[str], number: int, method: tuple[str, str] | None = None):
        self.local, self.number, self.method = local, number, method

    def _numbered(self, name: str) -> str:
        return f"{name}{DOT}{self.number}" if name in self.local else name

    def visit_Name(self, node):
        node.id = self._numbered(node.id)
        return node

    def visit_Call(self, node):
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args and self.method:
            class_, instance = self.method
            node.args = [placed(ast.Name(name, ast.Load()), node) for name in (class_, self._numbered(instance))]
            return node
        return self.generic_visit(node)

    def visit_FunctionDef(self, node):
        node.name = self._numbered(node.name)
        within = _Numbered(self.local - _local_names(node), self.number, self.method)
        node.body = [within.visit(part) for part in node.body]
        node.args, node.decorator_list = self.visit(node.args), [self.visit(d) for d in node.decorator_list]
        return node

    def visit_Lambda(self, node):
        node.body = _Numbered(self.local - {a.arg for a in node.args.args}, self.number, self.method).visit(node.body)
        node.args = self.visit(node.args)
        return node

    def visit_Nonlocal(self, node):
        return ast.copy_location(ast.Global([self._numbered(name) for name in node.names]), node)

    def visit_ExceptHandler(self, node):
        node.name = node.name and self._numbered(node.name)
        return self.generic_visit(node)


class _Renamed(ast.NodeTransformer):
    """Calls global names by others where they are read or changed."""

    def __init__(self, names: dict[str, str]):
        self.names = names

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Load):
            node.id = self.names.get(node.id, node.id)
        return node

    def visit_AugAssign(self, node):
        if isinstance(node.target, ast.Name):
            node.target.id = self.names.get(node.target.id, node.target.id)
        return self.generic_visit(node)


class _Exchange(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.old else self.generic_visit(node)


def _changing(node: ast.FunctionDef) -> list[ast.expr]:
    """The decorators that make a function do something else, as those of static and class methods do not."""
    return [d for d in node.decorator_list if getattr(d, "id", None) not in ("staticmethod", "classmethod")]


def _arguments(node: ast.FunctionDef, call: ast.Call, receiver: ast.expr | None) -> dict[str, ast.expr]:
    """What each parameter is given."""
    names = [a.arg for a in node.args.args]
    given = dict(zip(names[len(names) - len(node.args.defaults) :], node.args.defaults, strict=True))
    given.update(zip(names, [*([receiver] if receiver is not None else []), *call.args], strict=False))
    given.update({k.arg: k.value for k in call.keywords if k.arg is not None})
    if node.args.vararg:
        rest = call.args[len(names) - (receiver is not None) :]
        given[node.args.vararg.arg] = ast.Tuple(rest, ast.Load())
        names.append(node.args.vararg.arg)
    return {name: given[name] for name in names if name in given}


def _strict_calls(value: ast.AST) -> list[ast.Call]:
    """The calls in an expression that are always made, in the order in which they are."""
    lazy = ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp | ast.IfExp | ast.BoolOp
    if isinstance(value, lazy):
        return []
    found = [call for child in ast.iter_child_nodes(value) for call in _strict_calls(child)]
    return [*found, value] if isinstance(value, ast.Call) else found


def _key(node: ast.FunctionDef) -> tuple[str, int]:
    """What tells a function from all others once it is compiled: its name and its first line."""
    return node.name, min(part.lineno for part in (node, *node.decorator_list))


def _functions_in(node: ast.AST) -> Iterator[ast.FunctionDef]:
    return (part for part in ast.walk(node) if isinstance(part, ast.FunctionDef))


def _local_names(node: ast.FunctionDef) -> set[str]:
    """The names of a function's own that can be numbered; those of modules and classes cannot."""
    parts = [part for n in node.body for part in _own_parts(n)]
    elsewhere = {name for part in parts if isinstance(part, ast.Global | ast.Nonlocal) for name in part.names}
    fixed = set().union(*(uses(n).binds for n in parts if isinstance(n, ast.Import | ast.ImportFrom | ast.ClassDef)))
    given = {a.arg for a in (*node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg) if a}
    return given.union(*(uses(n).binds for n in node.body)) - elsewhere - fixed


_HOLDS = {ast.Assign: "value", ast.AugAssign: "value", ast.AnnAssign: "value", ast.Expr: "value"}
_HOLDS |= {ast.Assert: "test", ast.Raise: "exc"}
"""The part of a statement that is computed first, and once."""

_NEEDS_A_FUNCTION = (ast.Yield, ast.YieldFrom, ast.Await, ast.AsyncFor, ast.AsyncWith)


def _can_stand_alone(callee: Callee, call: ast.Call) -> bool:
    """Whether the body can stand in the place of the call: no return inside a loop, and nothing that keeps names."""
    node, arguments = callee.node, callee.node.args
    if arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs:
        return False
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        return False
    parts = [part for n in node.body for part in ast.walk(n)]
    if any(isinstance(part, _NEEDS_A_FUNCTION) or _is_private(part, callee.within) for part in parts):
        return False
    blocks = [part for part in parts if isinstance(part, ast.For | ast.While | ast.With | ast.Try)]
    if any(_returns(block) for block in blocks):
        return False
    return arguments.vararg is not None or len(call.args) + (callee.receiver is not None) <= len(arguments.args)


def _own_parts(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a statement, those inside other functions left out."""
    yield node
    for child in ast.iter_child_nodes(node) if not isinstance(node, ast.FunctionDef | ast.Lambda) else ():
        yield from _own_parts(child)


def _returns(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Return) for part in _own_parts(node))


def _is_private(node: ast.AST, within: str | None) -> bool:
    """Whether a name means something else outside of its function or class."""
    if isinstance(node, ast.Attribute):
        return node.attr.startswith("__") and not node.attr.endswith("__")
    return isinstance(node, ast.Name) and node.id in ("locals", "vars", "__class__", *([] if within else ["super"]))
