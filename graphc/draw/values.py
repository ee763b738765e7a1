"""Values at a point, as short as an edge has room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..evaluate import evaluate
from ..ir import Node

# What has more elements is told by its sizes.
_MOST_ELEMENTS = 3


def shown_values(nodes: Sequence[Node], at: Mapping[Any, Any]) -> dict[Node, str]:
    """The values of nodes, where they are few numbers: `0.73`, `[1, 2]`.

    >>> import graphc as gc
    >>> x = gc.input("x", (2,))
    >>> list(shown_values([x, gc.sum(x) / 3], {x: [1.0, 2.5]}).values())
    ['[1, 2.5]', '1.17']
    """
    values = zip(nodes, evaluate(list(nodes), at), strict=True)
    return {v: _shown(a.tolist()) for v, a in values if np.size(a) <= _MOST_ELEMENTS}


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return (f"{value:.3g}" if isinstance(value, float) else str(value)).replace("-", "−")
