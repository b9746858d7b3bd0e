"""What becomes of parameters with their gradient."""

from handgrad.engine.adam import adam_update
from handgrad.engine.tape import Integer, Number, Vector, kernel


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
    """Adam with decoupled weight decay, see `handgrad.engine.adam`; `step` is how many were taken, `rate` is (1,)."""
    adam_update(flat, gradient, mean, square, rate[0], step + 1, beta1, beta2, eps, decay)
