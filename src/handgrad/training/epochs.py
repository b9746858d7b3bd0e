"""Epochs without a list of what is left: which example comes next is computed from its number alone."""

import math

import numpy as np

ROUNDS = 6

_AT_ONCE = 2**13
"""Numbers that a near cache holds."""
_MULTIPLIER, _WEYL = np.uint64(0xD2E7470EE14C6C93), np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


def epoch_positions(seed: int, steps: range, batch_size: int, n_examples: int) -> np.ndarray:
    """Which examples the given steps see, if each is seen once before any is seen again.

    Each epoch has an order of its own. A minibatch may hold the last examples of one and the first of the next. The
    result depends on nothing but the arguments, and no order is kept anywhere.

    Args:
        seed: of the run.
        steps: the steps wanted, consecutive.
        batch_size: positions for each step.
        n_examples: positions run from 0 up to this, at most 2³².

    Returns:
        (len(steps), batch_size) int64.

    Example:
        >>> positions = epoch_positions(1, range(0, 4), batch_size=3, n_examples=6)
        >>> np.sort(positions.reshape(2, 6))
        array([[0, 1, 2, 3, 4, 5],
               [0, 1, 2, 3, 4, 5]])
    """
    key = np.random.Philox(key=seed, counter=2 << 192).random_raw(1)
    number = np.arange(steps.start * batch_size, steps.stop * batch_size)
    positions = np.empty(len(number), np.int64)
    for start in range(0, len(number), _AT_ONCE):
        epoch, place = np.divmod(number[start : start + _AT_ONCE], n_examples)
        keys = key + epoch.astype(np.uint64) * _MULTIPLIER
        positions[start : start + _AT_ONCE] = permuted(place.astype(np.uint64), keys, n_examples)
    return positions.reshape(len(steps), batch_size)


def permuted(places: np.ndarray, keys: np.ndarray, n: int) -> np.ndarray:
    """Where the permutation of each key takes a place: a Feistel network, walked along until the result is below n.

    A number below a · b is a pair, one number below a and one below b. Each round adds to one of the two a function of
    the other, modulo a or b, which can be undone: so the network permutes the numbers below a · b, a few more than n.
    Applied again and again to a number below n, it comes back to one below n; to which, permutes these.

    Args:
        places: (N,) uint64, each below n.
        keys: (N,) uint64; where they are equal, different places go to different ones.
        n: at most 2³².

    Returns:
        (N,) uint64, each below n.

    Source: Black and Rogaway 2002, "Ciphers with arbitrary finite domains", sec. 3 and 4; Salmon et al. 2011, "Parallel
    random numbers: as easy as 1, 2, 3", sec. 3.3, for the multiplication in a round.
    """
    a = math.isqrt(n - 1) + 1
    sizes = a, -(-n // a)
    result = _network(places, keys, sizes)
    (walking,) = np.nonzero(result >= n)
    while len(walking):
        result[walking] = _network(result[walking], keys[walking], sizes)
        walking = walking[result[walking] >= n]
    return result


def _network(numbers: np.ndarray, keys: np.ndarray, sizes: tuple[int, int]) -> np.ndarray:
    moduli = [np.uint64(size) for size in sizes]
    pair = list(np.divmod(numbers, moduli[1]))
    for turn in range(ROUNDS):
        changed, modulus = turn % 2, moduli[turn % 2]
        keys = keys + _WEYL
        below = _scrambled(pair[1 - changed] ^ keys) * modulus >> _HALF
        total = pair[changed] + below
        pair[changed] = np.minimum(total, total - modulus)  # a difference below 0 wraps to the greatest numbers
    return pair[0] * moduli[1] + pair[1]


def _scrambled(words: np.ndarray) -> np.ndarray:
    """Numbers below 2³², each of whose bits depends on all bits of a word of 64."""
    words = words * _MULTIPLIER
    return (words ^ words >> _HALF) * _MULTIPLIER >> _HALF
