import torch


def init_params(layer_dims, seed=3):
    torch.manual_seed(seed)
    parameters = {}
    for l in range(1, len(layer_dims)):
        parameters[f"W{l}"] = torch.randn(layer_dims[l], layer_dims[l - 1]) / layer_dims[l - 1] ** 0.5
        parameters[f"b{l}"] = torch.zeros(layer_dims[l], 1)
    return parameters


def L_model_forward(X, parameters):
    caches = []
    A = X
    L = len(parameters) // 2
    for l in range(1, L):
        A_prev = A
        Z = parameters["W" + str(l)] @ A_prev + parameters["b" + str(l)]
        A = torch.relu(Z)
        caches.append((A_prev, Z))
    Z = parameters[f"W{L}"] @ A + parameters[f"b{L}"]
    caches.append((A, Z))
    AL = torch.sigmoid(Z)
    return AL, caches


def compute_cost(AL, Y):
    m = Y.shape[1]
    return -(Y * AL.log() + (1 - Y) * (1 - AL).log()).sum() / m


def L_model_backward(AL, Y, caches, parameters):
    grads = {}
    L = len(caches)
    m = AL.shape[1]
    dAL = -(Y / AL - (1 - Y) / (1 - AL)) / m
    A_prev, Z = caches[-1]
    dZ = dAL * torch.sigmoid(Z) * (1 - torch.sigmoid(Z))
    grads[f"dW{L}"] = dZ @ A_prev.T
    grads[f"db{L}"] = dZ.sum(1, keepdim=True)
    dA = parameters[f"W{L}"].T @ dZ
    for l in reversed(range(1, L)):
        A_prev, Z = caches[l - 1]
        dZ = dA.clone()
        dZ[Z <= 0] = 0
        grads[f"dW{l}"] = dZ @ A_prev.T
        grads[f"db{l}"] = dZ.sum(1, keepdim=True)
        dA = parameters[f"W{l}"].T @ dZ
    return grads


X = torch.randn(3, 10)
Y = (torch.rand(1, 10) > 0.5).float()
parameters = init_params([3, 5, 4, 1])
costs = []
for i in range(0, 100):
    AL, caches = L_model_forward(X, parameters)
    cost = compute_cost(AL, Y)
    grads = L_model_backward(AL, Y, caches, parameters)
    for l in range(1, 4):
        parameters["W" + str(l)] = parameters["W" + str(l)] - 0.1 * grads["dW" + str(l)]
        parameters["b" + str(l)] = parameters["b" + str(l)] - 0.1 * grads["db" + str(l)]
    if i % 50 == 0:
        costs.append(cost)
        print(f"{i}: {cost:.3f}")
