"""Run the user's statements: quietly, with plots left out, within a time limit, and in one namespace at a time."""

import ast
import asyncio
import builtins
import contextlib
import ctypes
import importlib
import inspect
import io
import math
import os
import random
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.overrides import TorchFunctionMode

from handgrad.checker.guard import World, end_process, said
from handgrad.checker.place import Place
from handgrad.checker.read.names import uses
from handgrad.checker.read.source import Statement, await_allowed
from handgrad.checker.run.arrays import Array, raw
from handgrad.checker.run.numpy_module import Float, Modules
from handgrad.checker.run.values import copy_values

FRAMES_A_LEVEL = 20
"""What `copy.deepcopy` and `ast.unparse` need at most for one level of a syntax tree, and some to spare."""


class TimeIsUp(BaseException):
    """Raised inside the user's code when the time limit has passed; not an Exception, so that no `except` eats it."""


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


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `TimeIsUp` in this thread after `seconds`, and again every half second until the block is left.

    In the main thread a timer signal does it, which ends a `time.sleep` too; elsewhere another thread does.
    """
    if not seconds or seconds >= threading.TIMEOUT_MAX:
        yield
    elif threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        with _signalled(seconds):
            yield
    else:
        with _watched(seconds):
            yield


@contextlib.contextmanager
def _signalled(seconds: float) -> Iterator[None]:
    ends = time.monotonic() + seconds

    def ring(_number, _frame):
        if (left := ends - time.monotonic()) > 0.01:  # an alarm that the program has set, in the place of ours
            signal.setitimer(signal.ITIMER_REAL, left, 0.5)
        else:
            raise TimeIsUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _watched(seconds: float) -> Iterator[None]:
    thread, done = threading.get_ident(), threading.Event()

    def watch():
        wait = seconds
        while not done.wait(wait):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TimeIsUp))
            wait = 0.5

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


@contextlib.contextmanager
def deep_enough(nodes: Iterable[ast.AST]) -> Iterator[None]:
    """Room on the stack to walk through these syntax trees, such as a sum of 500 terms, where Python's own is short."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, FRAMES_A_LEVEL * max(map(_depth, nodes), default=0)))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _depth(node: ast.AST) -> int:
    level, depth = [node], 0
    while level:
        level, depth = [child for part in level for child in ast.iter_child_nodes(part)], depth + 1
    return depth


class Nothing(ModuleType):
    """A module, and anything in it, that does nothing: stands in for plots."""

    def __init__(self, name: str = "nothing"):
        """Give it the name it stands for."""
        super().__init__(name)

    def __getattr__(self, name: str) -> Any:
        """Whatever is asked for does nothing either."""
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Nothing(name)

    def __call__(self, *_args, **_kwargs):
        """Do nothing, whatever the arguments."""
        return self

    def __getitem__(self, _key):
        """One more of the same."""
        return self

    def __setitem__(self, _key, _value):
        """Nothing is kept."""
        pass

    def __iter__(self):
        """Two, since `fig, ax = plt.subplots()` unpacks two."""
        return iter((Nothing(), Nothing()))

    def __enter__(self):
        """A context that does nothing."""
        return self

    def __exit__(self, *_exception):
        """Leave exceptions alone."""
        return False


QUIET_MODULES = {"matplotlib", "seaborn", "plotly", "IPython", "google", "graphviz", "tqdm", "wandb", "pylab"}


def _import(name, globals=None, locals=None, fromlist=(), level=0):
    root = name.split(".")[0]
    if root == "tqdm":
        module = Nothing("tqdm")
        module.__dict__.update(tqdm=lambda it=None, *_a, **_k: it, trange=lambda *a, **_k: range(*a))
        module.__dict__.update(notebook=module, auto=module)
        return module
    if root in QUIET_MODULES:
        return Nothing(name)
    return builtins.__import__(name, globals, locals, fromlist, level)


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
            __import__=_import,
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
            found = _import(name, globals, locals, fromlist, level)
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
        with self.world.of_the_program(looking=True), self.its_subclasses():
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


SEED = 0

LOW = {torch.float32, torch.float16, torch.bfloat16}
_CASTS = {Tensor.float, Tensor.half, Tensor.bfloat16}


class InDouble(TorchFunctionMode):
    """Every float tensor the code makes is a float64 one, explicit casts included.

    Factories draw in the dtype the user wrote and are widened afterwards, so that they give the user's own numbers.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Run `func` in float64."""
        kwargs = kwargs or {}
        if func in _CASTS:
            return args[0].double()
        if args and isinstance(args[0], Tensor):
            if any(isinstance(a, torch.dtype) and a in LOW for a in args):
                args = tuple(torch.float64 if isinstance(a, torch.dtype) and a in LOW else a for a in args)
            if kwargs.get("dtype") in LOW:
                kwargs = {**kwargs, "dtype": torch.float64}
            if func is Tensor.type and len(args) > 1 and isinstance(args[1], str):
                args = (args[0], args[1].replace("Float", "Double").replace("Half", "Double"))
            like = args[1] if len(args) > 1 else None
            if func in (Tensor.to, Tensor.type_as) and isinstance(like, Tensor) and like.dtype in LOW:
                args = (args[0], torch.float64, *args[2:])
        out = func(*args, **kwargs)
        if isinstance(out, Tensor) and out.dtype in LOW and func is not Tensor.numpy:
            return out.double()
        return out


class KeepingGraphs(TorchFunctionMode):
    """Where a line differentiates what it has computed, the graph stays, since the checker goes through it too."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Run `func`, and free nothing."""
        kwargs = dict(kwargs or {})
        if func in (Tensor.backward, torch.autograd.backward, torch.autograd.grad):
            kwargs["retain_graph"] = True
        return func(*args, **kwargs)


@dataclass(frozen=True)
class Randomness:
    """The states of all random generators at one moment."""

    torch_state: Tensor
    python_state: Any
    numpy_state: Any
    generators: dict[str, Tensor]
    numpy_generators: dict[str, Any]

    @staticmethod
    def now(namespace: dict[str, Any]) -> "Randomness":
        """The states now, those of the generators in `namespace` included."""
        numpy = sys.modules.get("numpy")
        found = {k: v for k, v in namespace.items() if numpy and isinstance(v, numpy.random.Generator)}
        return Randomness(
            torch.get_rng_state(),
            random.getstate(),
            numpy.random.get_state() if numpy else None,
            {k: v.get_state() for k, v in namespace.items() if isinstance(v, torch.Generator)},
            {k: v.bit_generator.state for k, v in found.items()},
        )

    @staticmethod
    def begin() -> None:
        """Seed all generators, so that a program which seeds none makes the same numbers each time."""
        torch.default_generator.manual_seed(SEED)
        random.seed(SEED)
        if numpy := sys.modules.get("numpy"):
            numpy.random.seed(SEED)

    def has_moved(self, after: "Randomness") -> bool:
        """Whether a generator that was there then has drawn since."""
        return (
            not torch.equal(self.torch_state, after.torch_state)
            or self.python_state != after.python_state
            or self.numpy_mark != after.numpy_mark
            or self.numpy_generators != {k: v for k, v in after.numpy_generators.items() if k in self.numpy_generators}
            or any(
                name in self.generators and not torch.equal(self.generators[name], state)
                for name, state in after.generators.items()
            )
        )

    @property
    def numpy_mark(self) -> tuple | None:
        """NumPy's global state in a form that can be compared."""
        state = self.numpy_state
        return None if state is None else (state[1].tobytes(), *state[2:])

    def restore(self, namespace: dict[str, Any]) -> None:
        """Put every generator back where it was."""
        torch.set_rng_state(self.torch_state)
        random.setstate(self.python_state)
        if self.numpy_state is not None:
            numpy = importlib.import_module("numpy")
            numpy.random.set_state(self.numpy_state)
            for name, state in self.numpy_generators.items():
                if isinstance(generator := namespace.get(name), numpy.random.Generator):
                    generator.bit_generator.state = state
        for name, state in self.generators.items():
            if isinstance(generator := namespace.get(name), torch.Generator):
                generator.set_state(state)


def reads_of(machine: Machine, node: ast.stmt) -> set[str]:
    """Every name the statement reads, those read inside the user's functions it calls included."""
    direct = uses(node).reads
    return direct | machine.names_read_by_functions(direct)
