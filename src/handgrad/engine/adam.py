"""Adam, in one pass over flat vectors."""

import numpy as np

from handgrad.engine.compiling import compiled

_NOTHING = np.float32(1e-30)


@compiled
def adam_update(flat, gradient, mean, square, rate, step, beta1, beta2, eps, decay):
    r"""Adam with weight decay: a step in units of the gradient's root mean square, and a little towards 0.

    $$ m = \beta_1 m + (1 - \beta_1) g, \quad v = \beta_2 v + (1 - \beta_2) g^2, \quad
       \theta = (1 - \eta \lambda) \, \theta - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon} $$

    What decays below 10⁻³⁰ becomes 0, since processors are slow with denormals.

    Source: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", arXiv:1412.6980, algorithm 1;
    Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", arXiv:1711.05101, algorithm 2.
    """
    keep1, keep2, small = np.float32(beta1), np.float32(beta2), np.float32(eps)
    new1, new2 = np.float32(1 - beta1), np.float32(1 - beta2)
    factor, unbias = np.float32(rate / (1 - beta1**step)), np.float32(1 / (1 - beta2**step))
    shrink = np.float32(1 - rate * decay)
    for i in range(flat.size):
        m = keep1 * mean[i] + new1 * gradient[i]
        v = keep2 * square[i] + new2 * (gradient[i] * gradient[i])
        mean[i] = np.float32(0) if abs(m) < _NOTHING else m
        square[i] = np.float32(0) if v < _NOTHING else v
        flat[i] = shrink * flat[i] - factor * mean[i] / (np.sqrt(square[i] * unbias) + small)
