# ruff: noqa: ARG001  (the arguments of an intrinsic reach its code generator)
"""Products and transposes of matrices of a few hundred rows, faster than a library built for thousands.

A tile of the product, `TALL` rows by `WIDE` columns, stays in registers while its sum runs: each number of `a` is
multiplied with a row of `b`. Numba's loops keep such a tile in memory and reach a fifth of the speed, so it is written
in LLVM's vectors, which suit any processor, through Numba's extension interface.

Matrices that take part have rows of a multiple of NARROW, and as many rows in memory.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from handgrad.engine.compiling import compiled, intrinsic
from handgrad.engine.vectors import NARROW, WIDE

TALL = 8 if WIDE == 32 else 6
"""So many rows of WIDE sums, and a row of `b`, fit into the processor's registers."""
DEEP = 256
"""So many rows of WIDE columns of `b` stay in the first cache."""

_ONE = np.float32(1)
_WORD, _NUMBER, _FUSED = ir.IntType(64), ir.FloatType(), {"flags": ("contract",)}


def _load(builder: Any, address: Any, kind: ir.Type) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=4)


def _store(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer()), align=4)


def _nth(builder: Any, base: Any, stride: Any, n: int) -> Any:
    return builder.add(base, builder.mul(stride, _WORD(n)))


def _tile(width: int) -> Callable[..., Any]:
    """An intrinsic that computes a tile of the product, of up to TALL rows and `width` columns.

    Its arguments: how many rows; the factors of the product and of what the tile held before; the addresses of the
    tile, of its rows of `a` and of its columns of `b`; the strides between rows of the product, rows and columns of
    `a`, and rows of `b`, in bytes; and how many products make a sum.
    """
    vector = ir.VectorType(_NUMBER, width)
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)

    def spread(builder: Any, number: Any) -> Any:
        single = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.IntType(32)(0))
        return builder.shuffle_vector(single, single, everywhere)

    def tile_of(rows: int, builder: Any, end: Any, arguments: Any) -> None:
        alpha, beta, out, a, b, out_row, a_row, a_column, b_row, depth = arguments
        start, loop = builder.block, builder.append_basic_block()
        places = [_nth(builder, out, out_row, row) for row in range(rows)]
        zero = ir.Constant(vector, None)
        builder.branch(loop)

        builder.position_at_end(loop)
        k, a_now, b_now = (builder.phi(_WORD) for _ in range(3))
        sums = [builder.phi(vector) for _ in range(rows)]
        b_vector = _load(builder, b_now, vector)
        new_sums = []
        for row, total in enumerate(sums):
            a_number = _load(builder, _nth(builder, a_now, a_row, row), _NUMBER)
            product = builder.fmul(spread(builder, a_number), b_vector, **_FUSED)
            new_sums.append(builder.fadd(total, product, **_FUSED))
        new_k, new_a, new_b = builder.add(k, _WORD(1)), builder.add(a_now, a_column), builder.add(b_now, b_row)
        phis, nexts = [k, a_now, b_now, *sums], [new_k, new_a, new_b, *new_sums]
        firsts = [_WORD(0), a, b, *[zero] * rows]
        for phi, first, following in zip(phis, firsts, nexts, strict=True):
            phi.add_incoming(first, start)
            phi.add_incoming(following, loop)
        after = builder.append_basic_block()
        builder.cbranch(builder.icmp_signed("<", new_k, depth), loop, after)

        builder.position_at_end(after)
        alphas, betas = spread(builder, alpha), spread(builder, beta)
        overwrite = builder.fcmp_ordered("==", beta, _NUMBER(0))
        for place, total in zip(places, new_sums, strict=True):
            before = builder.select(overwrite, zero, builder.fmul(betas, _load(builder, place, vector)))
            _store(builder, builder.fadd(before, builder.fmul(alphas, total, **_FUSED), **_FUSED), place)
        builder.branch(end)

    def codegen(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        n_rows, *rest = arguments
        blocks = [builder.append_basic_block() for _ in range(TALL + 1)]
        end = blocks[0]
        switch = builder.switch(n_rows, end)
        for rows, block in enumerate(blocks[1:], 1):
            switch.add_case(_WORD(rows), block)
            builder.position_at_end(block)
            tile_of(rows, builder, end, rest)
        builder.position_at_end(end)
        return n_rows

    @intrinsic
    def tile(_, n_rows, alpha, beta, out, a, b, out_row, a_row, a_column, b_row, depth):
        return types.intp(types.intp, types.float32, types.float32, *[types.intp] * 8), codegen

    return tile


_wide_tile, _narrow_tile = _tile(WIDE), _tile(NARROW)


@compiled
def gemm_at(out, a, b, sizes, strides, alpha, beta):
    """`out = alpha * (a @ b) + beta * out`, as in BLAS; where beta is 0, what was in `out` does not matter.

    Args:
        out: the address of the product, rows contiguous.
        a: of the left matrix.
        b: of the right one, rows contiguous.
        sizes: rows and columns of the product, and how many products make a sum.
        strides: in bytes, between rows of the product, between rows and columns of `a`, and between rows of `b`.
        alpha: float32.
        beta: float32.
    """
    n_rows, n_columns, n_products = sizes
    out_row, a_row, a_column, b_row = strides
    for k in range(0, n_products, DEEP):
        depth, keep = min(DEEP, n_products - k), _ONE if k else beta
        for column in range(0, n_columns, WIDE):
            for row in range(0, n_rows, TALL):
                rows = min(TALL, n_rows - row)
                out_now, b_now = out + row * out_row + 4 * column, b + k * b_row + 4 * column
                a_now = a + row * a_row + k * a_column
                if n_columns - column >= WIDE:
                    _wide_tile(rows, alpha, keep, out_now, a_now, b_now, out_row, a_row, a_column, b_row, depth)
                else:
                    _narrow_tile(rows, alpha, keep, out_now, a_now, b_now, out_row, a_row, a_column, b_row, depth)


@intrinsic
def _transposed_tile(_, out, x, out_row, x_row):
    """Transpose NARROW × NARROW numbers: a deck of rows, halved and interleaved until columns have become rows."""
    vector = ir.VectorType(_NUMBER, NARROW)
    order = np.arange(2 * NARROW).reshape(2, NARROW).T.reshape(2, NARROW)
    low, high = (ir.Constant(ir.VectorType(ir.IntType(32), NARROW), half.tolist()) for half in order)

    def codegen(_, builder, __, arguments):
        out, x, out_row, x_row = arguments
        deck = [_load(builder, _nth(builder, x, x_row, n), vector) for n in range(NARROW)]
        for _ in range(NARROW.bit_length() - 1):
            halves = zip(deck[: NARROW // 2], deck[NARROW // 2 :], strict=True)
            deck = [builder.shuffle_vector(*pair, part) for pair in halves for part in (low, high)]
        for n, row in enumerate(deck):
            _store(builder, row, _nth(builder, out, out_row, n))
        return out

    return types.intp(*[types.intp] * 4), codegen


@compiled
def transpose(out, x):
    """`out = x.T`, rows and columns that only pad included."""
    for i in range(0, x.shape[0], NARROW):
        for j in range(0, x.shape[1], NARROW):
            out_now = out.ctypes.data + j * out.strides[0] + 4 * i
            _transposed_tile(out_now, x.ctypes.data + i * x.strides[0] + 4 * j, out.strides[0], x.strides[0])
