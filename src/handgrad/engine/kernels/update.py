"""What becomes of parameters with their gradient."""

import numpy as np

from handgrad.engine.tape import Integer, Number, Vector, kernel
from handgrad.engine.vectors import WIDE, load, square_root, store, where_less

_NOTHING, _ZERO = np.float32(1e-30), np.float32(0)


@kernel
def descend(flat: Vector, gradient: Vector, rate: Vector):
    """Gradient descent: `flat -= rate * gradient`; `rate` is (1,)."""
    for i in range(flat.size):
        flat[i] -= rate[0] * gradient[i]


@kernel
def adam(
    flat: Vector,
    gradient: Vector,
    mean: Vector,
    square: Vector,
    rate: Vector,
    step: Integer,
    beta1: Number,
    beta2: Number,
    eps: Number,
    decay: Number,
):
    r"""Adam with weight decay: a step in units of the gradient's root mean square, and a little towards 0.

    $$ m = \beta_1 m + (1 - \beta_1) g, \quad v = \beta_2 v + (1 - \beta_2) g^2, \quad
       \theta = (1 - \eta \lambda) \, \theta - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon} $$

    What decays below 10⁻³⁰, or a mean below 10⁻¹⁵, becomes 0, since processors are slow with denormals. The vectors
    are whole multiples of NARROW.

    Source: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", arXiv:1412.6980, algorithm 1;
    Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", arXiv:1711.05101, algorithm 2.

    Args:
        flat: parameters.
        gradient: of them.
        mean: m, as it was before, and is then.
        square: v, likewise.
        rate: (1,) η.
        step: how many steps were taken before.
        beta1: β₁.
        beta2: β₂.
        eps: ε.
        decay: λ.
    """
    t = float(step + 1)
    keep1, keep2, small = np.float32(beta1), np.float32(beta2), np.float32(eps)
    new1, new2 = np.float32(1 - beta1), np.float32(1 - beta2)
    factor, unbias = np.float32(rate[0] / (1 - beta1**t)), np.float32(1 / (1 - beta2**t))
    shrink = np.float32(1 - rate[0] * decay)
    for j in range(0, flat.size, WIDE):
        g = load(gradient, j)
        m, v = load(mean, j) * keep1 + g * new1, load(square, j) * keep2 + g * g * new2
        m, v = where_less(m * m, _NOTHING, _ZERO, m), where_less(v, _NOTHING, _ZERO, v)
        store(mean, j, m)
        store(square, j, v)
        store(flat, j, load(flat, j) * shrink - m * factor / (square_root(v * unbias) + small))
