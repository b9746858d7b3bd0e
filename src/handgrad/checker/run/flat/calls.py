"""Lay the functions that a statement calls out in its place, and give entries and attributes names."""

import ast
import copy
import inspect
from collections.abc import Generator, Iterator
from dataclasses import replace
from types import FunctionType, MethodType
from typing import Any

import torch
from torch.nn import Module

from handgrad.checker.place import Place
from handgrad.checker.read.compared import compared
from handgrad.checker.read.names import uses, variables_of
from handgrad.checker.read.source import Source, Statement, exchanged, inner, segment
from handgrad.checker.read.spelling import DOT, GRADIENT_MODES, GRADIENTS_ON, bare
from handgrad.checker.read.trees import called
from handgrad.checker.read.words import Words
from handgrad.checker.run.flat.definitions import (
    Callee,
    arguments_of,
    can_stand_alone,
    changing,
    functions_in,
    goes_over_objects,
    key_of,
    local_names,
    returns_inside,
    strict_calls,
)
from handgrad.checker.run.flat.elements import Elements
from handgrad.checker.run.flat.entries import LONGEST_LIST, Entries, Renaming, assignment, placed
from handgrad.checker.run.flat.parameters import Parameters, has_hooks
from handgrad.checker.run.flat.parts import loss_apart
from handgrad.checker.run.flat.renaming import exchange, numbered, renamed
from handgrad.checker.run.flat.scopes import Scope, Scopes
from handgrad.checker.run.machine import Machine

MOST_CALLS = 400
DEEPEST = 12
_HOLDS = {ast.Assign: "value", ast.AugAssign: "value", ast.AnnAssign: "value", ast.Expr: "value"}
_HOLDS |= {ast.Assert: "test", ast.Raise: "exc"}
"""The part of a statement that is computed first, and once."""


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
        self.scopes = Scopes(self.entries, self.elements, self.parameters, compared(source.statements))
        self.not_entered: dict[Place, str] = {}
        self._definitions = {
            key_of(node): (node, statement)
            for statement in source.statements
            for node in ast.walk(statement.node)
            if isinstance(node, ast.FunctionDef)
        }
        self._running: list[ast.FunctionDef] = []
        self._versions: dict[str, str] = {}
        self._returned: dict[str, list[ast.expr]] = {}

    def begin(self) -> None:
        """Another pass begins: its backward functions belong to its own forward functions."""
        self.scopes.begin()
        self.elements.begin()

    def matters(self, node: ast.AST) -> bool:
        """Whether gradients are computed where only this class sees them: in an entry, or in a function called."""
        return self.active and self.words.computes_gradients(node)

    def shown(self, text: str) -> str:
        """The text with entries and attributes as the user writes them, and without the numbers of calls."""
        for name, entry in self.entries.found.items():
            text = exchanged(text, name, entry.text)
        return bare(text)

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
        if isinstance(node, ast.For) and goes_over_objects(node, {name for name, _ in self._definitions}):
            yield from self._unrolled(node, statement)
            return
        elements = self.elements.parameters(node) if self.words.has_elements else ()
        for named in (*self.parameters.named(node), *elements):
            yield replace(statement, node=named, laid_out=True, role="entry")
        node = renamed(node, self._versions)
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
        for store in (*renaming.take_stores(node), *self._losses_taken(node)):
            yield replace(statement, node=store, laid_out=True, role="entry")
        if self.words.has_elements:
            for named in self.elements.made(statement.node):
                yield replace(statement, node=named, laid_out=True, role="element")

    def _losses_taken(self, node: Any) -> Iterator[ast.stmt]:
        """`loss = loss·0` after `loss, dW = f(W)`: the losses that a call returned beside its gradients."""
        result = self._returned.get(getattr(getattr(node, "value", None), "id", ""), [])
        for target, value in zip(getattr(node.targets[0], "elts", []), result, strict=False) if result else ():
            if isinstance(value, ast.Name) and self.words.is_loss(name := getattr(target, "id", "")):
                yield assignment(name, value, node)

    def _note_what_is_not_entered(self, node: ast.stmt, statement: Statement) -> None:
        """Keep where a function is called that puts gradients where only its own lines can be seen to."""
        for call in (part for part in ast.walk(node) if isinstance(part, ast.Call)):
            name, receiver = called(call), getattr(call.func, "value", None)
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
        if name not in reads or not any(self._callee(call) for call in strict_calls(node.value)):
            return {}
        target.id = f"{name}{DOT}{self.scopes.open_nameless(name)}"
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

    def _unrolled(self, node: ast.For, statement: Statement) -> Iterator[Statement]:
        items = f"items{DOT}{self.scopes.open_nameless()}"
        each = ast.Call(ast.Name("list", ast.Load()), [copy.deepcopy(node.iter)], [])
        yield replace(statement, node=assignment(items, each, node), role="entry")
        for i in range(min(len(self.machine.namespace.get(items, ())), LONGEST_LIST)):
            item = ast.Subscript(ast.Name(items, ast.Load()), ast.Constant(i), ast.Load())
            take = placed(ast.Assign([copy.deepcopy(node.target)], item), node.target)
            yield replace(statement, node=take, laid_out=True, role="entry")
            yield from inner(statement, node.body)

    def _without_calls(self, value: ast.expr, statement: Statement) -> Generator[Statement, None, ast.expr]:
        """The expression with the results in the place of the calls that are laid out before it."""
        for call in strict_calls(value):
            if isinstance(call.func, ast.Attribute) and self._makes_object(call.func.value):
                made = ast.Name(f"{called(call.func.value)}{DOT}{self.scopes.open_nameless()}", ast.Load())
                yield replace(statement, node=assignment(made.id, call.func.value, call), role="entry")
                call.func.value = placed(made, call)
            if (callee := self._callee(call)) is not None:
                result = yield from self._laid_out(call, callee, statement)
                value = exchange(value, call, result)
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
        if not all(GRADIENT_MODES.search(f"{ast.unparse(decorator)}(") for decorator in changing(node)):
            return None
        call.args = [part for argument in call.args for part in self._spread(argument)]
        callee = Callee(node, statement, receiver, self._class_of(function, receiver))
        return callee if can_stand_alone(callee, call) else None

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
        local = local_names(node)
        outside = set().union(*(uses(n).reads for n in body)) - local
        owner = self.entries.path(receiver, self.entries.resolve(receiver)) if receiver is not None else None
        function = bare(node.name)
        backward = function in self.words.backward_functions or function == "backward"
        scope = Scope(function, owner, parameters, outside, backward)
        number = self.scopes.open(scope)
        for name, argument in arguments_of(node, call, receiver).items():
            handed = assignment(f"{name}{DOT}{number}", copy.deepcopy(argument), call)
            yield replace(statement, node=handed, role=statement.role or "argument", spelling=())
        own_body = numbered(body, local, number, (callee.within, parameters[0]) if callee.within else None)
        self._definitions.update({key_of(f): (f, callee.statement) for n in own_body for f in functions_in(n)})
        result: ast.expr = ast.Constant(None)
        self._running.append(node)
        before = torch.is_grad_enabled()
        try:
            if modes := changing(node):
                torch.set_grad_enabled(GRADIENTS_ON.search(ast.unparse(modes[0])) is not None)
            whole = replace(callee.statement, role="", call=f"call{DOT}{number}")
            for part in self._up_to_return(inner(whole, own_body), f"test{DOT}{number}"):
                if isinstance(part.node, ast.Return) and part.node.value is not None:
                    name = self._name_of_result(scope, part.node, number)
                    spelling = ((f"{name} = ", "return "),)
                    self._returned[name] = copy.deepcopy(getattr(part.node.value, "elts", []))
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
            if isinstance(part.node, ast.If) and returns_inside(part.node):
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
            half = self.scopes.forward_half(scope)
            if half is not None and len(parameters := self.scopes[half].parameters) == 2:
                return f"d{parameters[1]}{DOT}{number}"
        return f"returned{DOT}{number}"
