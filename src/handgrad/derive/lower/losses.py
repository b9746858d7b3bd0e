"""Lower cross-entropy and its kin, whose targets are classes."""

from handgrad.derive.expr import Axis, put_index
from handgrad.derive.lower.arithmetic import times
from handgrad.derive.lower.graph import Indexed
from handgrad.derive.lower.lowering import Lowering, UnsupportedError, lowers
from handgrad.derive.lower.reductions import averaged, log_softmax, reduced
from handgrad.derive.read.calls import Call


@lowers("cross_entropy", "nll_loss")
def _cross_entropy(low: Lowering, call: Call) -> Indexed:
    made = low.tensor(call["x"])
    target = low.value(call["target"])
    d = 1 if len(made.axes) > 1 else 0
    if low.value(call["weight"]) is not None or bool((target == low.value(call["ignore_index"])).any()):
        raise UnsupportedError(f"`{call.name}` with class weights or classes to ignore has no index notation here")
    if "label_smoothing" in call.arguments and low.value(call["label_smoothing"]):
        raise UnsupportedError(f"`{call.name}` with label_smoothing has no index notation here")
    if call.name == "cross_entropy":
        made = log_softmax(low, low.graph.name(made), d, low.said(call["x"]))
    if target.is_floating_point():
        picked = reduced(low, times(low, made, low.tensor(call["target"])), [d], False)
    else:
        axis = made.axes[d]
        if not isinstance(axis, Axis):
            raise UnsupportedError(f"`{call.name}` over one class has no index notation here")
        index, form = low.index(call["target"])
        others = tuple(a for k, a in enumerate(made.axes) if k != d)
        back, mapping, axes = low.maps(others, form)
        made = low.graph.name(made).put(back)
        index = put_index(index, mapping)
        picked = Indexed(made.expr.put({axis: index}), axes)
    picked = Indexed(picked.expr.scale(-1), picked.axes)
    reduction = low.value(call["reduction"])
    every = list(range(len(picked.axes)))
    if reduction == "mean":
        return averaged(low, picked, every, False)
    return reduced(low, picked, every, False) if reduction == "sum" else picked
