# ruff: noqa: ARG001  (the arguments of an intrinsic reach its code generator)
"""Vectors of WIDE numbers in float32, as a type of their own in compiled code: what is written is what is executed.

LLVM finds vectors in loops by itself, but keeps the sums of columns in memory and prefers half the width. With vectors
written out, a function reads like its formula, and its sums stay in registers. They suit any processor: where its own
are shorter, LLVM takes several for one.

    for j in range(0, row.size, WIDE):
        store(out, j, tanh(load(row, j) * 2))

Rows are whole multiples of NARROW, half a vector. Where only half a vector is left at the end of a row, the vector
holds it twice, and twice the same is stored: sums over rows need not care, sums along a row would count it twice.
"""

import operator
from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import lower_builtin, models, overload, register_model, type_callable

from handgrad.engine.compiling import compiled, intrinsic

WIDE = 32 if llvmlite.binding.get_host_cpu_features().get("avx512f", False) else 16
"""Two of the processor's vectors (on Arm, four), so that one is computed while the other waits for its result."""
NARROW = WIDE // 2

_FLOATS, _HALF = ir.VectorType(ir.FloatType(), WIDE), ir.VectorType(ir.FloatType(), NARROW)
_INTEGERS = ir.VectorType(ir.IntType(32), WIDE)
_FUSED = {"flags": ("contract",)}
_ONCE, _EACH = np.float32(0.5), np.float32(1)
_EXPONENT = 23
"""The lowest bit of a float32's exponent."""


def padded(size: int) -> int:
    """The next multiple of NARROW."""
    return -(-size // NARROW) * NARROW


def aligned_zeros(*shape: int) -> np.ndarray:
    """Zeros in float32, from a multiple of 64 bytes on, as vectors like it."""
    size = int(np.prod(shape))
    room = np.zeros(size + 16, np.float32)
    start = -room.ctypes.data % 64 // 4
    return room[start : start + size].reshape(shape)


def aligned_rows(n_rows: int, n_columns: int) -> np.ndarray:
    """Zeros, (n_rows, n_columns), of which a column's numbers lie in different sets of the cache.

    They would share a few sets if rows were a power of two apart; an odd number of half vectors is a simple way out.
    """
    apart = n_columns + NARROW * (n_columns // NARROW % 2 == 0)
    return aligned_zeros(n_rows, apart)[:, :n_columns]


class _Vector(types.Type):
    def __init__(self) -> None:
        super().__init__(f"{WIDE} float32")


VECTOR = _Vector()


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: types.Type) -> None:
        super().__init__(manager, kind, _FLOATS)


def _places(places: Any) -> ir.Constant:
    chosen = list(places)
    return ir.Constant(ir.VectorType(ir.IntType(32), len(chosen)), chosen)


def _spread(builder: Any, number: Any) -> Any:
    single = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), number, ir.IntType(32)(0))
    return builder.shuffle_vector(single, single, _places([0] * WIDE))


@intrinsic
def spread(_, number):
    """A vector of one number, WIDE times."""
    return VECTOR(types.float32), lambda _, builder, __, arguments: _spread(builder, *arguments)


@intrinsic
def _load(_, first, second):
    def codegen(_, builder, __, addresses):
        halves = [builder.load(builder.inttoptr(address, _HALF.as_pointer()), align=4) for address in addresses]
        return builder.shuffle_vector(*halves, _places(range(WIDE)))

    return VECTOR(types.intp, types.intp), codegen


@intrinsic
def _store(_, first, second, vector):
    def codegen(context, builder, __, arguments):
        *addresses, vector = arguments
        for n, address in enumerate(addresses):
            half = builder.shuffle_vector(vector, vector, _places(range(n * NARROW, (n + 1) * NARROW)))
            builder.store(half, builder.inttoptr(address, _HALF.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.none(types.intp, types.intp, VECTOR), codegen


@compiled
def load(row, j):
    """The vector `row[j : j + WIDE]`."""
    return _load(row.ctypes.data + 4 * j, row.ctypes.data + 4 * min(j + NARROW, row.size - NARROW))


@compiled
def store(row, j, vector):
    """`row[j : j + WIDE] = vector`."""
    _store(row.ctypes.data + 4 * j, row.ctypes.data + 4 * min(j + NARROW, row.size - NARROW), vector)


def _arithmetic(operation: Callable[..., Any], instruction: str) -> None:
    """Teach Numba an operator between vectors, and between a vector and a number."""

    @type_callable(operation)
    def typed(_):
        return lambda a, b: VECTOR if VECTOR in (a, b) else None

    def codegen(context, builder, signature, arguments):
        vectors = [
            argument if kind is VECTOR else _spread(builder, context.cast(builder, argument, kind, types.float32))
            for kind, argument in zip(signature.args, arguments, strict=True)
        ]
        return getattr(builder, instruction)(*vectors, **_FUSED)

    for kinds in ((VECTOR, VECTOR), (VECTOR, types.Number), (types.Number, VECTOR)):
        lower_builtin(operation, *kinds)(codegen)


for _operation, _instruction in {
    operator.add: "fadd",
    operator.iadd: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
}.items():
    _arithmetic(_operation, _instruction)


def _turned(by: int) -> Any:
    """An intrinsic that turns a vector by so many places."""

    @intrinsic
    def turned(_, x):
        order = _places((n + by) % WIDE for n in range(WIDE))
        return VECTOR(VECTOR), lambda _, builder, __, xs: builder.shuffle_vector(xs[0], xs[0], order)

    return turned


_BY_16, _BY_8, _BY_4, _BY_2, _BY_1 = _turned(16), _turned(8), _turned(4), _turned(2), _turned(1)


@compiled
def fold(x, period):
    """The sums of the numbers that lie `period` apart, each at all their places; it is a power of two, at most 8."""
    if WIDE == 32:
        x = x + _BY_16(x)
    x = x + _BY_8(x)
    if period <= 4:
        x = x + _BY_4(x)
        if period <= 2:
            x = x + _BY_2(x)
            if period == 1:
                x = x + _BY_1(x)
    return x


@intrinsic
def square_root(_, x):
    """The square root of each number of a vector."""

    def codegen(_, builder, __, arguments):
        function = builder.module.declare_intrinsic(f"llvm.sqrt.v{WIDE}f32", (), ir.FunctionType(_FLOATS, [_FLOATS]))
        return builder.call(function, arguments)

    return VECTOR(VECTOR), codegen


def _folded(builder: Any, vector: Any, both: Callable[[Any, Any], Any]) -> Any:
    """Fold a vector in the middle until a number is left."""
    size = WIDE
    while size > 1:
        size //= 2
        lower = builder.shuffle_vector(vector, vector, _places(range(size)))
        vector = both(lower, builder.shuffle_vector(vector, vector, _places(range(size, 2 * size))))
    return builder.extract_element(vector, ir.IntType(32)(0))


@intrinsic
def sum_of(_, x):
    """The sum of the numbers of a vector."""

    def codegen(_, builder, __, arguments):
        return _folded(builder, arguments[0], builder.fadd)

    return types.float32(VECTOR), codegen


@intrinsic
def greatest_of(_, x):
    """The greatest number of a vector; of NaN nothing is sure."""

    def codegen(_, builder, __, arguments):
        def greater(a, b):
            return builder.select(builder.fcmp_ordered("<", a, b), b, a)

        return _folded(builder, arguments[0], greater)

    return types.float32(VECTOR), codegen


@compiled
def once(row, j):
    """By what a vector that goes with `row[j : j + WIDE]` is multiplied so that what it holds twice counts once."""
    return _ONCE if row.size - j < WIDE else _EACH


@compiled
def sum_along(row, j, vector):
    """The sum of a vector that goes with `row[j : j + WIDE]`: what it holds twice counts once."""
    return sum_of(vector) * once(row, j)


@intrinsic
def _vectors_where_less(_, a, b, then, otherwise):
    def codegen(_, builder, __, arguments):
        a, b, then, otherwise = arguments
        return builder.select(builder.fcmp_ordered("<", a, b), then, otherwise)

    return VECTOR(VECTOR, VECTOR, VECTOR, VECTOR), codegen


@intrinsic
def _vectors_times_power_of_two(_, x, exponents):
    def codegen(_, builder, __, arguments):
        x, exponents = (builder.bitcast(argument, _INTEGERS) for argument in arguments)
        shift = ir.Constant(_INTEGERS, [_EXPONENT] * WIDE)
        return builder.bitcast(builder.add(x, builder.shl(exponents, shift)), _FLOATS)

    return VECTOR(VECTOR, VECTOR), codegen


def where_less(a, b, then, otherwise):
    """`then` where `a < b`, else `otherwise`; of numbers or of vectors. NaN is not less."""
    return then if a < b else otherwise


def times_power_of_two(x, exponents):
    """x · 2ᵏ, where k is the lowest bits of `exponents`; of numbers or of vectors."""
    bits = np.float32(x).view(np.int32) + (np.float32(exponents).view(np.int32) << np.int32(_EXPONENT))
    return np.int32(bits).view(np.float32)


@overload(where_less)
def _where_less(a, b, then, otherwise):
    if VECTOR not in (a, b, then, otherwise):
        return where_less
    return lambda a, b, then, otherwise: _vectors_where_less(
        as_vector(a), as_vector(b), as_vector(then), as_vector(otherwise)
    )


@overload(times_power_of_two)
def _times_power_of_two(x, exponents):
    if x is not VECTOR:
        return times_power_of_two
    return lambda x, exponents: _vectors_times_power_of_two(x, exponents)


def as_vector(x):
    """A vector of a number; a vector as it is."""


@overload(as_vector, inline="always")
def _as_vector(x):
    return (lambda x: x) if x is VECTOR else (lambda x: spread(np.float32(x)))
