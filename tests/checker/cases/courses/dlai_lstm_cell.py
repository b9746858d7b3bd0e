"""One step of an LSTM: `dit` is the gradient of what goes into the gate `it`."""

import numpy as np
rng = np.random.RandomState(5)
def sig(z): return 1. / (1. + np.exp(-z))
n_x, n_h, m = 3, 4, 6
p = {}
for gate in "fico":
    p["W" + gate] = rng.randn(n_h, n_h + n_x) * 0.4
    p["b" + gate] = rng.randn(n_h, 1) * 0.1
xt, a_prev, c_prev = rng.randn(n_x, m), rng.randn(n_h, m), rng.randn(n_h, m)
concat = np.concatenate((a_prev, xt), axis=0)
ft = sig(p["Wf"] @ concat + p["bf"])
it = sig(p["Wi"] @ concat + p["bi"])
cct = np.tanh(p["Wc"] @ concat + p["bc"])
c_next = ft * c_prev + it * cct
ot = sig(p["Wo"] @ concat + p["bo"])
a_next = ot * np.tanh(c_next)
da_next, dc_next = rng.randn(n_h, m), rng.randn(n_h, m)
loss = np.sum(a_next * da_next) + np.sum(c_next * dc_next)
def lstm_cell_backward(da_next, dc_next):
    tc = np.tanh(c_next)
    dot = da_next * tc * ot * (1 - ot)
    dc = dc_next + da_next * ot * (1 - tc ** 2)
    dcct = dc * it * (1 - cct ** 2)
    dit = dc * cct * it * (1 - it)
    dft = dc * c_prev * ft * (1 - ft)
    grads = {}
    grads["dWf"] = dft @ concat.T
    grads["dWi"] = dit @ concat.T
    grads["dWc"] = dcct @ concat.T
    grads["dWo"] = dot @ concat.T
    grads["dbf"] = np.sum(dft, axis=1, keepdims=True)
    grads["dbi"] = np.sum(dit, axis=1, keepdims=True)
    grads["dbc"] = np.sum(dcct, axis=1, keepdims=True)
    grads["dbo"] = np.sum(dot, axis=1, keepdims=True)
    dconcat = p["Wf"].T @ dft + p["Wi"].T @ dit + p["Wc"].T @ dcct + p["Wo"].T @ dot
    grads["da_prev"] = dconcat[:n_h]
    grads["dxt"] = dconcat[n_h:]
    grads["dc_prev"] = dc * ft
    return grads
gradients = lstm_cell_backward(da_next, dc_next)
