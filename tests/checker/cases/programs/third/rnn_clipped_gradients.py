import torch

torch.manual_seed(44)
n_char, n_state = 5, 4
U, R, O = torch.randn(n_char, n_state), torch.randn(n_state, n_state) * 0.3, torch.randn(n_state, n_char)
shift = torch.zeros(n_char)
memory = [torch.zeros_like(p) for p in (U, R, O, shift)]


def loss_and_gradients(chars, following, start):
    states, probs, loss = {-1: start.clone()}, {}, 0
    for t, c in enumerate(chars):
        states[t] = torch.tanh(U[c] + states[t - 1] @ R)
        scores = states[t] @ O + shift
        probs[t] = scores.softmax(0)
        loss = loss - probs[t][following[t]].log()
    dU, dR, dO, dshift = (torch.zeros_like(p) for p in (U, R, O, shift))
    dstate = torch.zeros(n_state)
    for t in reversed(range(len(chars))):
        dscores = probs[t].clone()
        dscores[following[t]] -= 1
        dO += torch.outer(states[t], dscores)
        dshift += dscores
        draw = (O @ dscores + dstate) * (1 - states[t] ** 2)
        dU[chars[t]] += draw
        dR += torch.outer(states[t - 1], draw)
        dstate = R @ draw
    for gradient in [dU, dR, dO, dshift]:
        gradient.clamp_(-5, 5)
    return loss, dU, dR, dO, dshift, states[len(chars) - 1]


text = [0, 3, 1, 1, 4, 2, 0, 3, 1]
state, at = torch.zeros(n_state), 0
for it in range(20):
    if at + 4 >= len(text):
        state, at = torch.zeros(n_state), 0
    loss, dU, dR, dO, dshift, state = loss_and_gradients(text[at : at + 3], text[at + 1 : at + 4], state)
    for p, dp, mem in zip([U, R, O, shift], [dU, dR, dO, dshift], memory):
        mem += dp * dp
        p -= 0.1 * dp / torch.sqrt(mem + 1e-8)
    at += 3
