"""After the assignments of deeplearning.ai's first courses, written anew."""

import numpy as np

def forward_propagation(x, theta):
    J = np.dot(theta, x)
    return J

def backward_propagation(x, theta):
    dtheta = x
    return dtheta

def gradient_check(x, theta, epsilon=1e-7):
    theta_plus = theta + epsilon
    theta_minus = theta - epsilon
    J_plus = forward_propagation(x, theta_plus)
    J_minus = forward_propagation(x, theta_minus)
    gradapprox = (J_plus - J_minus) / (2 * epsilon)
    grad = backward_propagation(x, theta)
    numerator = np.linalg.norm(grad - gradapprox)
    denominator = np.linalg.norm(grad) + np.linalg.norm(gradapprox)
    difference = numerator / denominator
    return difference

x, theta = 3., 4.
J = forward_propagation(x, theta)
dtheta = backward_propagation(x, theta)
difference = gradient_check(x, theta)
