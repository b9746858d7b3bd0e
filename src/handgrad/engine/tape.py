# ruff: noqa: ARG001  (the arguments of an intrinsic reach its code generator)
"""Kernels, each compiled once, and tapes of them: a model is a list of kernels and of what they work on.

A kernel is a function over arrays whose annotations say of what kind they are. Called from Python it does nothing but
note what it is called with; a tape is a list of such notes, and compiled code runs it:

    logits, seen = rows_apart(n, 32), rows_apart(n, 64)
    tape = Tape([matmul(logits[NODES], seen[NODES], p["Wy"]), bias_forward(logits[NODES], p["by"])])

How many rows there are differs from minibatch to minibatch. So what a tape works on are `Buffer`s, of which an `Extent`
picks rows, from the number in one register to that in another.

To C, all kernels look alike: addresses of the arguments and of the registers go in. So each is compiled for itself,
once, whatever models use it, and kept.
"""

import ctypes
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from inspect import signature
from types import FunctionType
from typing import Annotated, Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.np.arrayobj import make_array, populate_array

from handgrad.engine.compiling import c_function, compiled, intrinsic

Rows = Annotated[np.ndarray, types.Array(types.float32, 2, "A")]
"""A matrix, rows apart: from `handgrad.engine.flat.rows_apart`, or a part of one."""
Dense = Annotated[np.ndarray, types.Array(types.float32, 2, "C")]
"""A matrix without gaps."""
Vector = Annotated[np.ndarray, types.Array(types.float32, 1, "C")]
Indices = Annotated[np.ndarray, types.Array(types.int32, 1, "C")]
IndexRows = Annotated[np.ndarray, types.Array(types.int32, 2, "C")]
Registers = Annotated[np.ndarray, types.Array(types.int64, 1, "C")]
Words = Annotated[np.ndarray, types.Array(types.int64, 2, "C")]
Integer = Annotated[int, types.int64]
Number = Annotated[float, types.float64]

_C_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_ssize_t, ctypes.c_ssize_t)
_WORD = ir.IntType(64)
_WORDS = 6
"""Of an argument: address, or number itself; stride of rows in bytes; columns; rows; two registers to add to rows."""


class Extent(NamedTuple):
    """Rows from the number in one register to that in another, each `shift` further on.

    Example:
        >>> NODES = Extent(0, 1)
        >>> NODES.shifted(1)
        Extent(first=0, last=1, shift=1)
    """

    first: int
    last: int
    shift: int = 0

    def shifted(self, rows: int) -> "Extent":
        """As many rows, so many further on."""
        return self._replace(shift=self.shift + rows)


class Register(NamedTuple):
    """The number in the register of that index, and `plus`."""

    index: int
    plus: int = 0


class Argument(NamedTuple):
    """What a kernel is called with: an array, or some rows of it, or a number, or what is in a register."""

    value: Any
    extent: Extent | None = None

    def words(self) -> list[int]:
        """As the compiled code reads it."""
        if isinstance(self.value, np.ndarray):
            array, extent = self.value, self.extent or Extent(0, 0)
            data = array.__array_interface__["data"][0] + extent.shift * array.strides[0]
            n_rows = 0 if self.extent else array.shape[0]
            return [data, array.strides[0], array.shape[-1], n_rows, extent.first, extent.last]
        if isinstance(self.value, Register):
            return [self.value.plus, 0, 0, 0, 0, self.value.index]
        is_float = isinstance(self.value, float | np.floating)
        number = np.float64(self.value).view(np.int64) if is_float else np.array(self.value).astype(np.int64)
        return [int(number), 0, 0, 0, 0, 0]


class Buffer:
    """An array for what lies between kernels: `buffer[NODES]` are rows of that extent, `buffer[NODES, :64]` columns.

    Args:
        array: 1 or 2 dimensions; other keys than extents index it as usual.
    """

    def __init__(self, array: np.ndarray):  # noqa: D107
        self.array = array

    def __getitem__(self, key: Any) -> Argument:  # noqa: D105
        rows, *columns = key if isinstance(key, tuple) and not isinstance(key, Extent) else (key,)
        if isinstance(rows, Extent):
            return Argument(self.array[(slice(None), *columns)], rows)
        return Argument(self.array[key])


class Operation(NamedTuple):
    """A kernel and what it is called with."""

    kernel: "Kernel"
    arguments: tuple[Argument, ...]


class Kernel:
    """A function over arrays, in Python a note of what it is called with; see `handgrad.engine.tape`.

    Args:
        function: whose parameters are annotated with kinds.
    """

    def __init__(self, function: Callable[..., None]):  # noqa: D107
        self._function, self.__doc__, self.__name__ = function, function.__doc__, function.__name__
        self._parameters = signature(function).parameters
        self.__wrapped__ = function

    def __call__(self, *arguments: Any) -> Operation:
        """Note that it is to be called with these: arrays, buffers, rows of buffers, numbers and registers."""
        if len(arguments) != len(self._parameters):
            raise TypeError(f"{self.__name__} takes {len(self._parameters)} arguments, got {len(arguments)}")
        return Operation(self, tuple(map(_argument, arguments)))

    @cached_property
    def address(self) -> int:
        """Of the compiled function."""
        return self._compiled.address

    @cached_property
    def _compiled(self) -> Any:
        kinds = [parameter.annotation.__metadata__[0] for parameter in self._parameters.values()]
        code = _call.__code__.replace(co_filename=self._function.__code__.co_filename, co_name=self.__name__)
        names = {"_kernel": compiled(self._function), "_arguments": _arguments_of(kinds)}
        call = FunctionType(code, names, self.__name__)
        call.__module__, call.__qualname__ = self._function.__module__, self.__name__
        return c_function(call, types.void(types.intp, types.intp))


def kernel(function: Callable[..., None]) -> Kernel:
    """Make a kernel of a function whose parameters are annotated with kinds."""
    return Kernel(function)


def _argument(value: Any) -> Argument:
    if isinstance(value, Buffer):
        return Argument(value.array)
    return value if isinstance(value, Argument) else Argument(value)


_kernel: Any
_arguments: Any


def _call(words, registers):
    """What C calls, of each kernel; a copy of it for each is given these two."""
    _kernel(*_arguments(words, registers))


def _arguments_of(kinds: Sequence[types.Type]) -> Any:
    """An intrinsic that reads arguments of these kinds."""

    def codegen(context: Any, builder: Any, function: Any, addresses: Any) -> Any:
        words, registers = addresses

        def at(base: Any, n: Any) -> Any:
            place = builder.add(base, builder.mul(n, _WORD(8)))
            return builder.load(builder.inttoptr(place, _WORD.as_pointer()))

        def array_of(kind: types.Array, first: int) -> Any:
            data, stride, columns, rows, begin, end = (at(words, _WORD(first + n)) for n in range(_WORDS))
            begin, end = at(registers, begin), at(registers, end)
            data = builder.add(data, builder.mul(begin, stride))
            rows = builder.add(rows, builder.sub(end, begin))
            size = context.get_abi_sizeof(context.get_data_type(kind.dtype))
            array = make_array(kind)(context, builder)
            pointer = builder.inttoptr(data, array.data.type)
            itemsize = context.get_constant(types.intp, size)
            shape, strides = ([rows, columns], [stride, itemsize]) if kind.ndim == 2 else ([rows], [itemsize])
            populate_array(array, data=pointer, shape=shape, strides=strides, itemsize=itemsize, meminfo=None)
            return array._getvalue()

        def value_of(kind: types.Type, first: int) -> Any:
            if isinstance(kind, types.Array):
                return array_of(kind, first)
            word = at(words, _WORD(first))
            if kind == types.float64:
                return builder.bitcast(word, ir.DoubleType())
            return builder.add(word, at(registers, at(words, _WORD(first + _WORDS - 1))))

        values = [value_of(kind, n * _WORDS) for n, kind in enumerate(kinds)]
        return context.make_tuple(builder, function.return_type, values)

    @intrinsic
    def arguments(_, words, registers):
        return types.Tuple(kinds)(types.intp, types.intp), codegen

    return arguments


@intrinsic
def _call_at(_, address, words, registers):
    def codegen(context, builder, function, arguments):
        address, *rest = arguments
        kind = ir.FunctionType(ir.VoidType(), [_WORD, _WORD])
        builder.call(builder.inttoptr(address, kind.as_pointer()), rest)
        return context.get_dummy_value()

    return types.none(types.intp, types.intp, types.intp), codegen


class Tape:
    """Operations in order, as compiled code runs them with `run`.

    Args:
        operations: in order.
        registers: (any,) int64, what extents refer to; the first is 0 and stays it.
    """

    def __init__(self, operations: Iterable[Operation], registers: np.ndarray):  # noqa: D107
        self._operations, self._registers = list(operations), registers
        words = [
            word for operation in self._operations for argument in operation.arguments for word in argument.words()
        ]
        self._words = np.array(words, np.int64)
        lengths = [_WORDS * len(operation.arguments) for operation in self._operations]
        self.rows = np.empty((len(lengths), 3), np.int64)
        self.rows[:, 0] = [operation.kernel.address for operation in self._operations]
        self.rows[:, 1] = self._words.ctypes.data + self._words.itemsize * (np.cumsum(lengths) - lengths)
        self.rows[:, 2] = registers.ctypes.data
        """(operations, 3) int64: addresses of the function, of its arguments and of the registers."""

    def run(self) -> None:
        """Run it once; no other thread has to wait."""
        for address, words, registers in self.rows.tolist():
            _C_FUNCTION(address)(words, registers)


@compiled
def run(rows):
    """Run the tape that has these rows."""
    for i in range(rows.shape[0]):
        _call_at(rows[i, 0], rows[i, 1], rows[i, 2])
