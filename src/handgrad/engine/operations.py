"""The operations of `handgrad.ops`, compiled: the same formulas, results written into arrays given first.

Rows are examples, as in the lecture. Gradients of parameters are added to what is there, times a factor. Where columns
do not depend on each other, a strip of WIDE of them is worked through from the first row to the last, so that sums over
rows stay in registers, and what was written is read again from the cache.
"""

import math

import numba
import numpy as np

from handgrad.engine.compiling import compiled, composed
from handgrad.engine.elementary import exp, tanh
from handgrad.engine.matmul import add_product, matmul
from handgrad.engine.vectors import WIDE, load, spread, square_root, store

_EPS = np.float32(1e-5)
_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def number_letters(rows, letters, starts, row_of, contexts):
    """Number the letters in use, place after place, in the order in which they come.

    Args:
        rows: (N, block_size), receives the number of each letter of `contexts` at its place.
        letters: (N · block_size,), receives the letter of each number.
        starts: (block_size + 1,), receives the first number of each place, and how many there are.
        row_of: (vocab_size,), scratch.
        contexts: (N, block_size).
    """
    n_examples, block_size = contexts.shape
    count = 0
    for place in range(block_size):
        starts[place] = count
        for letter in range(row_of.size):
            row_of[letter] = -1
        for n in range(n_examples):
            letter = contexts[n, place]
            if row_of[letter] < 0:
                row_of[letter] = count
                letters[count] = letter
                count += 1
            rows[n, place] = row_of[letter]
    starts[block_size] = count


@compiled
def embedding_forward(emb, C, letters):
    """`emb = C[letters]`."""
    for u in range(emb.shape[0]):
        copy(emb[u], C[letters[u]])


@compiled
def embedding_backward(dC, demb, letters, first, factor):
    """A letter's row of `dC` gains the sum over its uses, each in the columns of `demb` from `first` on."""
    for u in range(letters.size):
        row, letter = demb[u, first:], dC[letters[u]]
        for e in range(letter.size):
            letter[e] += factor * row[e]


@composed
def linear_forward(y, x, weight):
    """`y = x @ weight`; the bias is added elsewhere."""
    matmul(y, x, weight)


@composed
def linear_backward(dx, dweight, dy, x, weight_transposed, factor):
    """`dx = dy @ weight.T` and `dweight += factor * x.T @ dy`."""
    matmul(dx, dy, weight_transposed)
    add_product(dweight, x.T, dy, factor)


@compiled
def bias_forward(y, bias):
    """`y += bias`."""
    for n in range(y.shape[0]):
        add(y[n], bias)


@compiled
def bias_backward(dbias, dy, factor):
    """`dbias += factor * dy.sum(0)`."""
    for j in range(0, dbias.size, WIDE):
        total = spread(_ZERO)
        for n in range(dy.shape[0]):
            total += load(dy[n], j)
        store(dbias, j, load(dbias, j) + total * factor)


@compiled
def places_forward(y, contributions, rows):
    """What the letters at all places contribute to each example: `y = contributions[rows].sum(1)`."""
    for j in range(0, y.shape[1], WIDE):
        for n in range(y.shape[0]):
            total = load(contributions[rows[n, 0]], j)
            for place in range(1, rows.shape[1]):
                total += load(contributions[rows[n, place]], j)
            store(y[n], j, total)


@compiled
def places_backward(dcontributions, dy, rows):
    """A row's gradient is the sum over the examples that used it."""
    fill(dcontributions, _ZERO)
    for j in range(0, dy.shape[1], WIDE):
        for n in range(dy.shape[0]):
            dy_here = load(dy[n], j)
            for place in range(rows.shape[1]):
                row = dcontributions[rows[n, place]]
                store(row, j, load(row, j) + dy_here)


@compiled
def batchnorm_tanh_forward(h, bnraw, bnmean, bnvar_inv, gain, bias):
    """Normalise each column, then tanh; `bnraw` has the input at first, `bnmean` and `bnvar_inv` are results too."""
    n_rows, n_columns = bnraw.shape
    for j in range(0, n_columns, WIDE):
        total, squares = spread(_ZERO), spread(_ZERO)
        for n in range(n_rows):
            total += load(bnraw[n], j)
        mean = total / n_rows
        for n in range(n_rows):
            bndiff = load(bnraw[n], j) - mean
            squares += bndiff * bndiff
        scale = _ONE / square_root(squares / (n_rows - 1) + _EPS)
        gain_here, bias_here = load(gain, j), load(bias, j)
        for n in range(n_rows):
            raw = (load(bnraw[n], j) - mean) * scale
            store(bnraw[n], j, raw)
            store(h[n], j, tanh(gain_here * raw + bias_here))
        store(bnmean, j, mean)
        store(bnvar_inv, j, scale)


@compiled
def batchnorm_tanh_backward(dx, dgain, dbias, h, bnraw, bnvar_inv, gain, factor):
    """The closed form; `dx` has the cotangent of `h` at first. `dgain` may be `gain`."""
    n_rows, n_columns = dx.shape
    for j in range(0, n_columns, WIDE):
        scale = load(gain, j) * load(bnvar_inv, j)
        dbias_here, dgain_here = spread(_ZERO), spread(_ZERO)
        for n in range(n_rows):
            tangent = load(h[n], j)
            dy = load(dx[n], j) * (_ONE - tangent * tangent)
            store(dx[n], j, dy)
            dbias_here += dy
            dgain_here += dy * load(bnraw[n], j)
        store(dbias, j, load(dbias, j) + dbias_here * factor)
        store(dgain, j, load(dgain, j) + dgain_here * factor)
        through_mean, through_variance = dbias_here / n_rows, dgain_here / (n_rows - 1)
        for n in range(n_rows):
            store(dx[n], j, scale * (load(dx[n], j) - through_mean - through_variance * load(bnraw[n], j)))


@compiled
def batchnorm_inference(y, x, gain, bias, bnmean, bnvar):
    """With a given mean and variance."""
    for j in range(0, bnmean.size, WIDE):
        scale = load(gain, j) / square_root(load(bnvar, j) + _EPS)
        shift = load(bias, j) - load(bnmean, j) * scale
        for n in range(y.shape[0]):
            store(y[n], j, load(x[n], j) * scale + shift)


@compiled
def tanh_forward(h):
    """In place."""
    for n in range(h.shape[0]):
        for j in range(0, h.shape[1], WIDE):
            store(h[n], j, tanh(load(h[n], j)))


@compiled
def softmax(logits, logit_maxes, counts_sum):
    """In place; each row's maximum and the sum of its exponentials are results too."""
    for n in range(logits.shape[0]):
        row, highest = logits[n], greatest(logits[n])
        for j in range(0, row.size, WIDE):
            store(row, j, exp(load(row, j) - highest))
        total = sum_of(row)
        scale = _ONE / total
        for j in range(row.size):
            row[j] *= scale
        logit_maxes[n], counts_sum[n] = highest, total


@composed
def cross_entropy_forward(logits, targets, logit_maxes, counts_sum):
    """The mean loss; `logits` become probabilities."""
    loss = 0.0
    for n in range(logits.shape[0]):
        loss -= logits[n, targets[n]]
    softmax(logits, logit_maxes, counts_sum)
    for n in range(logits.shape[0]):
        loss += logit_maxes[n] + math.log(counts_sum[n])
    return loss / logits.shape[0]


@compiled
def cross_entropy_backward(probs, targets):
    """In place: `(probs - onehot) / N`."""
    n_rows = probs.shape[0]
    for n in range(n_rows):
        probs[n, targets[n]] -= _ONE
    flat, of_mean = probs.reshape(probs.size), _ONE / np.float32(n_rows)
    for i in range(flat.size):
        flat[i] *= of_mean


@compiled
def log_softmax(logits):
    """In place."""
    for n in range(logits.shape[0]):
        row, highest, total = logits[n], greatest(logits[n]), 0.0
        for j in range(row.size):
            total += exp(row[j] - highest)
        logarithm = np.float32(highest + math.log(total))
        for j in range(row.size):
            row[j] -= logarithm


@compiled
def fill(x, value):
    """`x[:] = value`."""
    flat = x.reshape(x.size)
    for i in range(flat.size):
        flat[i] = value


@compiled
def copy(out, x):
    """`out[:] = x`, for vectors."""
    for i in range(out.size):
        out[i] = x[i]


@compiled
def add(out, x):
    """`out += x`, for rows."""
    for j in range(0, out.size, WIDE):
        store(out, j, load(out, j) + load(x, j))


@numba.njit(fastmath={"reassoc"}, nogil=True)
def sum_of(x):
    """`x.sum()`, in the order that is fastest, which is always the same."""
    total = _ZERO
    for i in range(x.size):
        total += x[i]
    return total


@compiled
def greatest(x):
    """`x.max()`, NaN where there is one.

    Compared as integers, which LLVM may do in any order: those of negative numbers fall as the numbers rise.
    """
    best = np.int32(-(2**31))
    for i in range(x.size):
        best = max(best, _swap_order_if_negative(np.float32(x[i]).view(np.int32)))
    return np.int32(_swap_order_if_negative(best)).view(np.float32)


@compiled
def _swap_order_if_negative(bits):
    return bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))
