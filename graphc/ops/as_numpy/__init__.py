"""NumPy's own names: what `np.f(node)`, `node.f()` and the array API's namespace build.

Every function here has the parameters that NumPy gives it, and comes down to graphc's own. What is
not here is refused by name, with the nearest that is.
"""

from . import (
    arrangement,
    elements,
    namespace,
    other_names,
    products,
    protocols,
    reductions,
    series,
    ufuncs,
)

__all__ = [
    "arrangement",
    "elements",
    "namespace",
    "other_names",
    "products",
    "protocols",
    "reductions",
    "series",
    "ufuncs",
]
