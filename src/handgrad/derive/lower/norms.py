"""Lower norms over groups and batches, and attention with a mask, by the source that defines them."""

import ast

from handgrad.derive.lower.definitions import lower_text
from handgrad.derive.lower.graph import UnsupportedError
from handgrad.derive.lower.lowering import Lowered, Lowering, lowers
from handgrad.derive.read.calls import Call

NORMALISED = "xc = {x} - {x}.mean({dims}, keepdim=True)\nrstd = ((xc**2).mean({dims}, keepdim=True) + eps)**-0.5\n"


def _affine(low: Lowering, call: Call, rank: int, made: str) -> str:
    """A normalised value times a weight and plus a bias of each channel, the second axis."""
    where = f"[:{', None' * (rank - 2)}]" if rank > 2 else ""
    for option, sign in (("weight", "*"), ("bias", "+")):
        if low.value(call[option]) is not None:
            made += f" {sign} {option}{where}"
    return made


@lowers("batch_norm")
def _batch_norm(low: Lowering, call: Call) -> Lowered:
    rank = low.value(call["x"]).dim()
    if not low.value(call["training"]):
        where = f"[:{', None' * (rank - 2)}]" if rank > 2 else ""
        text = f"(x - running_mean{where}) * (running_var{where} + eps)**-0.5"
        return lower_text(low, _affine(low, call, rank, text), call.arguments)
    dims = tuple(d for d in range(rank) if d != 1)
    text = NORMALISED.format(x="x", dims=dims[0] if len(dims) == 1 else dims)
    return lower_text(low, f"{text}xhat = xc * rstd\n{_affine(low, call, rank, 'xhat')}", call.arguments)


@lowers("group_norm", "instance_norm")
def _group_norm(low: Lowering, call: Call) -> Lowered:
    rank = low.value(call["x"]).dim()
    if call.name == "instance_norm":
        dims = tuple(range(2, rank))
        text = NORMALISED.format(x="x", dims=dims[0] if len(dims) == 1 else dims)
        return lower_text(low, f"{text}xhat = xc * rstd\n{_affine(low, call, rank, 'xhat')}", call.arguments)
    text = f"g = x.reshape(x.shape[0], num_groups, -1)\n{NORMALISED.format(x='g', dims=2)}"
    sizes = ", ".join(f"x.shape[{d}]" for d in range(rank))
    made = _affine(low, call, rank, "xhat")
    return lower_text(low, f"{text}xhat = (xc * rstd).reshape({sizes})\n{made}", call.arguments)


@lowers("scaled_dot_product_attention")
def _attention(low: Lowering, call: Call) -> Lowered:
    if low.value(call["dropout_p"]):
        raise UnsupportedError("attention with dropout draws a mask that nothing else sees")
    arguments = dict(call.arguments)
    if low.value(arguments["scale"]) is None:
        arguments["scale"] = ast.parse(f"{ast.unparse(call['query'])}.shape[-1]**-0.5", mode="eval").body
    scores = "query @ key.transpose(-2, -1) * scale"
    mask = low.value(call["attn_mask"])
    if low.value(call["is_causal"]):
        future = "torch.ones(query.shape[-2], key.shape[-2]).triu(1).bool()"
        scores = f"({scores}).masked_fill({future}, float('-inf'))"
    elif mask is not None and not mask.is_floating_point():
        scores = f"({scores}).masked_fill(~attn_mask, float('-inf'))"
    elif mask is not None:
        scores = f"{scores} + attn_mask"
    return lower_text(low, f"S = {scores}\nP = torch.softmax(S, -1)\nP @ value", arguments)
