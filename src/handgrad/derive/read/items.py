"""Writing elements as functions: `x[i] = v` is `setitem(x, at[i], v)`, and `x[i] += v` is `additem(x, at[i], v)`."""

from typing import Any


class At:
    """`at[:, 0]` is the index that stands in its brackets."""

    def __getitem__(self, index: Any) -> Any:
        """The index itself."""
        return index


at = At()


def setitem(x: Any, index: Any, values: Any) -> Any:
    """A copy of x with `values` at `index`.

    Example:
        >>> import torch
        >>> setitem(torch.zeros(3), at[1:], torch.ones(2))
        tensor([0., 1., 1.])
    """
    made = x.clone() if hasattr(x, "clone") else x.copy()
    made[index] = values
    return made


def additem(x: Any, index: Any, values: Any) -> Any:
    """A copy of x with `values` added at `index`, once for every time that it is named.

    Example:
        >>> import torch
        >>> additem(torch.zeros(3), at[torch.tensor([1, 1])], torch.ones(2))
        tensor([0., 2., 0.])
    """
    made = x.clone() if hasattr(x, "clone") else x.copy()
    if not hasattr(x, "clone"):
        import numpy as np

        np.add.at(made, index, values)
        return made
    parts = index if isinstance(index, tuple) else (index,)
    if not any(hasattr(part, "shape") or isinstance(part, list) for part in parts):
        made[index] += values
        return made
    import torch

    places = torch.arange(x.numel()).view(x.shape)[index]
    values = torch.as_tensor(values, dtype=x.dtype).expand(places.shape)
    return made.view(-1).index_add(0, places.reshape(-1), values.reshape(-1)).view(x.shape)


def addat(x: Any, index: Any, values: Any) -> Any:
    """What `np.add.at` makes of a copy of x.

    Example:
        >>> import numpy as np
        >>> addat(np.zeros(3), np.s_[[1, 1]], np.ones(2))
        array([0., 2., 0.])
    """
    return additem(x, index, values)


def names_twice(x: Any, index: Any) -> bool:
    """Whether an index names an element of x more than once."""
    if hasattr(x, "clone"):
        import torch

        places = torch.arange(x.numel()).view(x.shape)[index].reshape(-1)
        return places.numel() != torch.unique(places).numel()
    import numpy as np

    places = np.arange(x.size).reshape(x.shape)[index]
    return places.size != np.unique(places).size
