"""Layers of `torch.nn` as the functions they call, with their parameters as arguments."""

import ast
from typing import Any

_F = "torch.nn.functional"
LAYERS: dict[str, str] = {
    "Linear": f"{_F}.linear(x, m.weight, m.bias)",
    "Bilinear": f"{_F}.bilinear(x, x_1, m.weight, m.bias)",
    "Embedding": f"{_F}.embedding(x, m.weight)",
    "LayerNorm": f"{_F}.layer_norm(x, m.weight.shape, m.weight, m.bias, m.eps)",
    "RMSNorm": f"{_F}.rms_norm(x, m.weight.shape, m.weight, m.eps)",
    "GroupNorm": f"{_F}.group_norm(x, m.num_groups, m.weight, m.bias, m.eps)",
    "Conv1d": f"{_F}.conv1d(x, m.weight, m.bias, m.stride, m.padding, m.dilation, m.groups)",
    "Conv2d": f"{_F}.conv2d(x, m.weight, m.bias, m.stride, m.padding, m.dilation, m.groups)",
    **dict.fromkeys(
        ("BatchNorm1d", "BatchNorm2d"),
        f"{_F}.batch_norm(x, None, None, m.weight, m.bias, training=True, eps=m.eps)",
    ),
    "MaxPool1d": f"{_F}.max_pool1d(x, m.kernel_size, m.stride, m.padding)",
    "MaxPool2d": f"{_F}.max_pool2d(x, m.kernel_size, m.stride, m.padding)",
    "AvgPool2d": f"{_F}.avg_pool2d(x, m.kernel_size, m.stride, m.padding)",
    "Tanh": "torch.tanh(x)",
    "Sigmoid": "torch.sigmoid(x)",
    "ReLU": "torch.relu(x)",
    "GELU": f"{_F}.gelu(x, approximate=m.approximate)",
    "SiLU": f"{_F}.silu(x)",
    "Mish": f"{_F}.mish(x)",
    "ELU": f"{_F}.elu(x, m.alpha)",
    "LeakyReLU": f"{_F}.leaky_relu(x, m.negative_slope)",
    "Softplus": f"{_F}.softplus(x, m.beta, m.threshold)",
    "Softmax": "torch.softmax(x, m.dim)",
    "LogSoftmax": "torch.log_softmax(x, m.dim)",
    "Flatten": "x.flatten(m.start_dim, m.end_dim)",
    "Identity": "x",
    "CrossEntropyLoss": f"{_F}.cross_entropy(x, x_1, m.weight, m.ignore_index, m.reduction, m.label_smoothing)",
    "NLLLoss": f"{_F}.nll_loss(x, x_1, m.weight, m.ignore_index, m.reduction)",
    "MSELoss": f"{_F}.mse_loss(x, x_1, m.reduction)",
    "L1Loss": f"{_F}.l1_loss(x, x_1, m.reduction)",
    "BCEWithLogitsLoss": f"{_F}.binary_cross_entropy_with_logits(x, x_1, m.weight, m.reduction, m.pos_weight)",
    "BCELoss": f"{_F}.binary_cross_entropy(x, x_1, m.weight, m.reduction)",
}
"""What each layer `m` does with its inputs `x` and `x_1`, in evaluation but for batch norm."""


def as_function(node: ast.Call, layer: Any) -> ast.expr | None:
    """The call of a layer as one of a function; None where it is no layer of `torch.nn` that is known."""
    kind = type(layer)
    if not kind.__module__.startswith("torch.nn.modules"):
        return None
    if kind.__name__ == "Sequential":
        made = node.args[0]
        for place in range(len(layer)):
            part = ast.Subscript(node.func, ast.Constant(place), ast.Load())
            made = ast.Call(part, [made], [])
        return made
    if kind.__name__.startswith("Dropout") and (not layer.training or layer.p == 0):
        return node.args[0]
    if kind.__name__ not in LAYERS:
        return None
    return _Filled(node, layer).visit(ast.parse(LAYERS[kind.__name__], mode="eval").body)


class _Filled(ast.NodeTransformer):
    def __init__(self, node: ast.Call, layer: Any):
        self.node, self.layer = node, layer

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "m":
            value = getattr(self.layer, node.attr)
            if isinstance(value, bool | int | float | str | tuple | None):
                return ast.parse(repr(value), mode="eval").body
            return ast.Attribute(self.node.func, node.attr, ast.Load())
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return {"x": self.node.args[0], "x_1": self.node.args[-1]}.get(node.id, node)
