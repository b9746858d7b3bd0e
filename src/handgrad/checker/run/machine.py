"""Run the user's statements: quietly, with plots left out, within a time limit, and in one namespace at a time."""

import ast
import asyncio
import builtins
import contextlib
import inspect
import io
import math
import os
import re
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from handgrad.checker.guard import World, end_process, said
from handgrad.checker.place import Place
from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Statement, await_allowed
from handgrad.checker.run.arrays import Array, raw
from handgrad.checker.run.limits import TimeIsUp
from handgrad.checker.run.numpy_module import Float, Modules
from handgrad.checker.run.quiet import Nothing, import_quietly
from handgrad.checker.run.values import copy_values


class ProgramEnds(Exception):  # noqa: N818 - it is no error
    """Stands for the SystemExit with which the user's program ends itself."""

    def __init__(self, end: SystemExit):
        """Keep it."""
        super().__init__(said(end))
        self.end = end


class LeaveLoop(BaseException):
    """Stands for `break` in a loop body that is run statement by statement."""


class NextRound(LeaveLoop):
    """The same for `continue`."""


@dataclass(frozen=True)
class UserError:
    """An exception raised by the user's own code."""

    place: Place
    message: str

    @property
    def missing(self) -> str | None:
        """The name that has no value, where that is what it says."""
        found = re.fullmatch(r"NameError: name '(.+?)' is not defined.*", self.message)
        return found and found[1]

    def lacks(self, names: set[str]) -> bool:
        """Whether it says that one of the names has no value, because the line that gives it one raised."""
        return self.missing in names


class Machine:
    """One namespace in which the user's statements run.

    The namespace is a single dict, since the user's functions hold on to it; `holding` puts other values into it for
    a while, which is how the same code runs in another dtype or with other gradients.
    """

    def __init__(self, folder: Path | None, data: Path | None = None, name: str = "__main__"):
        """Look for data files in `folder`, then in `data`."""
        self.folders = [f for f in (folder, data, Path.cwd()) if f is not None]
        self.follows_arrays = self.computes_plainly = False
        self.world = World(torch, torch.autograd, torch.nn.functional, torch.linalg, Tensor, Module, math)
        quiet = dict(vars(builtins))
        quiet.update(
            print=lambda *_a, **_k: None,
            display=lambda *_a, **_k: None,
            input=self._no_input,
            open=self._open,
            __import__=import_quietly,
            get_ipython=lambda: Nothing("ipython"),
        )
        self.namespace: dict[str, Any] = {"__name__": name, "__builtins__": quiet}
        if folder is not None:
            self.namespace["__file__"] = str(folder / "program.py")

    def follow_arrays(self, low_precision: bool = False) -> None:
        """Run a program without PyTorch: its NumPy arrays are tensors, and a plain `float` of one stays one.

        Where all its floats are of 64 bits, NumPy's own arrays serve wherever no gradient is followed.
        """
        self.computes_plainly = not low_precision
        modules, quiet, own = Modules(self.find), self.namespace["__builtins__"], self.folders[:1]

        def importing(name, globals=None, locals=None, fromlist=(), level=0):
            if level == 0 and (module := modules.imported(name, fromlist)) is not None:
                return module
            before = set(sys.modules)
            found = import_quietly(name, globals, locals, fromlist, level)
            for new in set(sys.modules) - before:
                if any(
                    Path(getattr(sys.modules[new], "__file__", None) or "/").is_relative_to(folder) for folder in own
                ):
                    modules.put_into(sys.modules[new])
            return found

        quiet.update(__import__=importing, float=Float)
        given = {name: modules.taken(value) for name, value in self.namespace.items() if name != "__builtins__"}
        self.namespace.update(given, __arrays__=True)
        self.follows_arrays = True

    @property
    def real_modules(self) -> dict[str, Any]:
        """The names of NumPy's and of `math` in the program, with what they stand for in any other."""
        modules = {n: v for n, v in self.namespace.items() if isinstance(v, ModuleType)}
        return {n: v.real_module for n, v in modules.items() if "real_module" in dir(v)}

    def unfollowed(self, values: dict[str, Any]) -> dict[str, Any]:
        """Values with NumPy's own arrays in the place of those that are followed."""
        return copy_values(values, raw, every=True)

    def given(self, tensor: Tensor) -> Tensor:
        """A tensor of the checker's as the program would hold it."""
        return tensor.as_subclass(Array) if self.follows_arrays else tensor

    def its_subclasses(self) -> contextlib.AbstractContextManager:
        """The program's lines have its subclasses of tensors, which the checker takes for plain ones."""
        return contextlib.nullcontext() if self.follows_arrays else torch._C._EnableTorchFunction()

    def plainly(self) -> contextlib.AbstractContextManager:
        """All else that is done with its tensors."""
        return contextlib.nullcontext() if self.follows_arrays else torch._C.DisableTorchFunctionSubclass()

    def _open(self, file, mode="r", *args, **kwargs):
        if any(letter in mode for letter in "wax+"):
            return io.BytesIO() if "b" in mode else io.StringIO()
        return builtins.open(self.find(file), mode, *args, **kwargs)  # noqa: PTH123 - it stands in for the builtin

    def find(self, file):
        """The path of a data file: as given, beside the program, or in the data folder."""
        if not isinstance(file, str | Path) or Path(file).is_file():
            return file
        for folder in self.folders:
            for candidate in (folder / file, folder / Path(file).name):
                if candidate.is_file():
                    return candidate
        return file

    @staticmethod
    def _no_input(*_args):
        raise EOFError("the checker cannot answer input()")

    def run(self, code: CodeType, looking: bool = False) -> None:
        """Execute one compiled statement, its output thrown away; with `looking` for the first time.

        Raises:
            ProgramEnds: it ends the program, as `sys.exit()` does.
            Exception: what it raises; what is none, such as GeneratorExit, as one of the same name.
        """
        process = os.getpid()
        try:
            with (
                self.world.of_the_program(looking),
                self.its_subclasses(),
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                if code.co_flags & inspect.CO_COROUTINE:
                    asyncio.run(eval(code, self.namespace))
                else:
                    exec(code, self.namespace)
        except (Exception, TimeIsUp, LeaveLoop, KeyboardInterrupt):
            raise
        except SystemExit as end:
            raise ProgramEnds(end) from None
        except BaseException as error:
            raise type(type(error).__name__, (Exception,), {})(error).with_traceback(error.__traceback__) from None
        finally:
            if os.getpid() != process:  # a child that the statement forked
                end_process(0)

    def evaluate(self, node: ast.expr, file: str) -> Any:
        """The value of an expression of the user's."""
        quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
        with self.world.of_the_program(looking=True), self.its_subclasses(), quiet[0], quiet[1]:
            return eval(compile(ast.Expression(node), file, "eval"), self.namespace)

    @contextlib.contextmanager
    def holding(self, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The namespace with `values` put into it, and everything as it was afterwards."""
        before = dict(self.namespace)
        self.namespace.update(values)
        try:
            yield self.namespace
        finally:
            self.namespace.clear()
            self.namespace.update(before)

    def names_read_by_functions(self, names: set[str]) -> set[str]:
        """The global names that the user's functions and classes among `names` read, and those they call read."""
        found: set[str] = set()
        queue = list(names)
        while queue:
            for code in _codes(self.namespace.get(queue.pop()), self.namespace):
                new = {n for n in _global_names(code) if n in self.namespace} - found
                found |= new
                queue += new
        return found


def _codes(value: Any, namespace: dict) -> Iterator[CodeType]:
    if isinstance(value, MethodType):
        value = value.__func__
    if isinstance(value, FunctionType):
        if value.__globals__ is namespace:
            yield value.__code__
        wrapped = getattr(value, "__wrapped__", None)
        if wrapped is not None:
            yield from _codes(wrapped, namespace)
        return
    kind = value if isinstance(value, type) else type(value)
    if isinstance(value, list | tuple) and len(value) < 50:
        for item in value:
            if not isinstance(item, Tensor | int | float | str):
                yield from _codes(item, namespace)
    for base in kind.__mro__ if getattr(kind, "__module__", None) == namespace.get("__name__") else ():
        for member in vars(base).values():
            member = getattr(member, "__func__", getattr(member, "fget", member))
            if isinstance(member, FunctionType):
                yield from _codes(member, namespace)


def _global_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)


class _LeaveInsteadOfBreak(ast.NodeTransformer):
    def visit_Break(self, node, leaving="__leave_loop__"):
        call = ast.Raise(exc=ast.Name(leaving, ast.Load()), cause=None)
        return ast.fix_missing_locations(ast.copy_location(call, node))

    def visit_Continue(self, node):
        return self.visit_Break(node, "__next_round__")

    def _own_loop(self, node):
        return node

    visit_For = visit_While = visit_FunctionDef = _own_loop  # noqa: N815


def compile_statement(node: Any, file: str) -> CodeType:
    """Byte code of one statement, as it would run at the top of a module, or of a notebook, which may await."""
    blocks = ast.If | ast.With | ast.Try | ast.Break | ast.Continue
    if isinstance(node, blocks) and any(isinstance(n, ast.Break | ast.Continue) for n in ast.walk(node)):
        node = _LeaveInsteadOfBreak().visit(node)
    return compile(ast.Module([node], []), file, "exec", await_allowed(file))


def user_error(error: BaseException, statement: Statement) -> UserError:
    """The exception with the line of the user's code it came from, and that in the cell of a function called."""
    place, inside = statement.place, ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        unit = frame.f_code.co_filename
        if unit == place.unit:
            place, inside = place.at(number), ""
        elif unit.startswith(f"{place.file}, cell "):
            inside = f" (in {frame.f_code.co_name}(), {unit.removeprefix(f'{place.file}, ')}, line {number})"
    return UserError(place, said(error) + inside)


def reads_of(machine: Machine, node: ast.stmt) -> set[str]:
    """Every name the statement reads, those read inside the user's functions it calls included."""
    direct = uses(node).reads
    return direct | machine.names_read_by_functions(direct)
