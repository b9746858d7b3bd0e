"""Training steps of models of lines, on NumPy arrays: what is the same for all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from handgrad.engine.adam import adam_update
from handgrad.engine.compiling import compiled, composed, entry_point
from handgrad.engine.flat import Layout
from handgrad.engine.training import BETA2, EPS, MOMENTS, PRODUCTS_A_CALL, refuse_outside

Arrays = Mapping[str, np.ndarray]
_NO_MOMENTS = [np.empty(0, np.float32)] * 2


class Lines(NamedTuple):
    """The lines of some minibatches, one after another.

    Args:
        text: their tokens, each line followed by one 0, flat, int32.
        starts: (steps, N + 1) int64, where in it each line of a minibatch starts, and where the last one ends.
    """

    text: np.ndarray
    starts: np.ndarray


class Dropping(NamedTuple):
    """Which numbers dropout leaves out; see `handgrad.training.masks`.

    Args:
        share: how many; 0 for none.
        seed: of the run.
        place: of the mask's name among the random numbers.
        first: the number of the first step.
    """

    share: float = 0.0
    seed: int | np.uint64 = 0
    place: int | np.uint64 = 0
    first: int = 0


NOTHING = Dropping()


class Update(NamedTuple):
    """What becomes of the parameters with the gradient of a step: by Adam where there are moments.

    Args:
        flat: the parameters.
        gradient: of them.
        mean: what Adam remembers; without numbers for gradient descent.
        square: likewise.
        matrices: the part on which weight decay acts.
        done: how many steps Adam has taken.
        beta1: of Adam.
        decay: the part of each number that is lost in a step, in units of the rate.
    """

    flat: np.ndarray
    gradient: np.ndarray
    mean: np.ndarray
    square: np.ndarray
    matrices: int
    done: int
    beta1: float
    decay: float


@composed
def take_update(u, rate, step):
    """Change the parameters at a step of this call."""
    if u.mean.size:
        for start, stop, decay in ((0, u.matrices, u.decay), (u.matrices, u.flat.size, 0.0)):
            flat, gradient, mean, square = (
                u.flat[start:stop],
                u.gradient[start:stop],
                u.mean[start:stop],
                u.square[start:stop],
            )
            adam_update(flat, gradient, mean, square, rate, u.done + step + 1, u.beta1, BETA2, EPS, decay)
    else:
        _descend(u.flat, u.gradient, rate)


@compiled
def _descend(flat, gradient, rate):
    for i in range(flat.size):
        flat[i] -= rate * gradient[i]


@dataclass(frozen=True)
class CompiledLines:
    """The compiled form of a model of lines.

    Args:
        layout: of the parameters.
        never: the name of the vector added to the scores.
        arrange: makes of views by name what `take` reads.
        work_for: the arrays between the operations, for minibatches of so many targets, with dropout or without.
        take: the steps: (update, parameters, gradients, work, text, starts, rates, losses, dropping).
        read: one more token: (parameters, work, how many), see `handgrad.engine.recurrent.Reader`.
        products: multiplications for each target, about.
        vocab_size: of the tokens.
        beta1: of Adam.
    """

    layout: Layout
    never: str
    arrange: Callable[..., Any]
    work_for: Callable[[int, bool], Any]
    take: Callable[..., None]
    read: Callable[..., None]
    products: int
    vocab_size: int
    beta1: float = 0.9

    def sgd_steps(
        self, parameters: Arrays, lines: Lines, rates: Sequence[float], dropping: Dropping = NOTHING
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Take one step of gradient descent a minibatch: as in `handgrad.training.torch_steps`, compiled.

        Args:
            parameters: float32 arrays by name; they are not changed.
            lines: what the steps read.
            rates: (steps,) learning rates.
            dropping: what dropout leaves out.

        Returns:
            The new parameters, and the losses, (steps,) float32 in nats, each before its step.

        Raises:
            IndexError: a token is not a letter of the vocabulary.
        """
        flat = self.layout.pack(parameters, self.never)
        losses = self._take(flat, np.zeros_like(flat), _NO_MOMENTS, lines, rates, dropping)
        return self.layout.unpack(flat), losses

    def adam_steps(
        self,
        parameters: Arrays,
        moments: Arrays,
        lines: Lines,
        rates: Sequence[float],
        weight_decay: float = 0.0,
        dropping: Dropping = NOTHING,
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
        """Take one step of Adam with decoupled weight decay, of matrices alone, a minibatch.

        Args:
            parameters: as in `sgd_steps`.
            moments: from `handgrad.engine.training.no_moments`, or returned by the call before.
            lines: as in `sgd_steps`.
            rates: as in `sgd_steps`.
            weight_decay: the part of each number that is lost in a step, in units of the rate.
            dropping: as in `sgd_steps`.

        Returns:
            The new parameters, the new moments, and the losses, the same however the steps are cut into calls.

        Source: Kingma and Ba 2015, arXiv:1412.6980; Loshchilov and Hutter 2019, arXiv:1711.05101.
        """
        flat, done = self.layout.pack(parameters, self.never), int(moments["steps"])
        flat_moments = [self.layout.pack({name: moments[f"{kind}_{name}"] for name in parameters}) for kind in MOMENTS]
        losses = self._take(flat, np.zeros_like(flat), flat_moments, lines, rates, dropping, done, weight_decay)
        new_moments = {"steps": np.array(done + len(losses))}
        for kind, values in zip(MOMENTS, flat_moments, strict=True):
            new_moments |= {f"{kind}_{name}": value for name, value in self.layout.unpack(values).items()}
        return self.layout.unpack(flat), new_moments, losses

    def loss_and_gradients(
        self, parameters: Arrays, lines: Lines, dropping: Dropping = NOTHING
    ) -> tuple[float, dict[str, np.ndarray]]:
        """The mean loss of one minibatch, and the gradients of the parameters by name."""
        flat = self.layout.pack(parameters, self.never)
        gradient = np.zeros_like(flat)
        losses = self._take(flat, gradient, _NO_MOMENTS, lines, [0.0], dropping)
        return float(losses[0]), self.layout.unpack(gradient)

    def _take(
        self,
        flat: np.ndarray,
        gradient: np.ndarray,
        moments: list[np.ndarray],
        lines: Lines,
        rates: Sequence[float],
        dropping: Dropping,
        done: int = 0,
        decay: float = 0.0,
    ) -> np.ndarray:
        """Change `flat`, `gradient` and `moments` step by step; the losses."""
        refuse_outside(lines.text, self.vocab_size, "a token", "the vocabulary")
        (mean, square), (share, seed, place, first) = moments, dropping
        p, d = (self.arrange(**self.layout.views(values)) for values in (flat, gradient))
        n_targets = lines.starts[:, -1] - lines.starts[:, 0]
        most = int(n_targets.max(initial=1))
        w = self.work_for(most, share > 0)
        losses, all_rates = np.empty(len(rates), np.float32), np.asarray(rates, np.float32)
        at_once = max(1, int(PRODUCTS_A_CALL / (3 * self.products * most)))
        for start in range(0, len(rates), at_once):
            now = slice(start, start + at_once)
            u = Update(
                flat, gradient, mean, square, self.layout.matrices, done + start, float(self.beta1), float(decay)
            )
            drop = Dropping(float(share), np.uint64(seed), np.uint64(place), first + start)
            self.take(u, p, d, w, lines.text, lines.starts[now], all_rates[now], losses[now], drop)
        return losses


def read_lines(tokens: np.ndarray, starts: np.ndarray, numbers: np.ndarray) -> Lines:
    """The lines of some minibatches.

    Args:
        tokens: lines, each followed by one 0, flat, in any integer type.
        starts: (lines + 1,) where each starts, and where the last one ends.
        numbers: (steps, N) which lines.

    Example:
        >>> lines = read_lines(np.array([5, 13, 1, 0, 2, 0]), np.array([0, 4, 6]), np.array([[1, 0], [1, 1]]))
        >>> lines.text, lines.starts
        (array([ 2,  0,  5, 13,  1,  0,  2,  0,  2,  0], dtype=int32), array([[ 0,  2,  6],
               [ 6,  8, 10]]))
    """
    lengths = np.diff(starts)[numbers]
    ends = np.cumsum(lengths).reshape(lengths.shape)
    begins = np.column_stack([ends[:, :1] - lengths[:, :1], ends])
    text = np.empty(int(ends[-1, -1]), np.int32)
    _read_lines(text, tokens, starts[numbers].reshape(-1), lengths.reshape(-1))
    return Lines(text, begins)


@entry_point
def _read_lines(text, tokens, starts, lengths):
    end = 0
    for n in range(starts.size):
        for place in range(lengths[n]):
            text[end] = tokens[starts[n] + place]
            end += 1
