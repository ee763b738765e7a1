"""The small programs whose emitted text is kept in golden/, to be read and compared.

`python tests/golden_programs.py` writes the files anew; read the difference before keeping it.
"""

from pathlib import Path

import graphc as gc

FOLDER = Path(__file__).with_name("golden")


def affine():
    """Broadcasting, a product, a size read and checked."""
    X, W = gc.input("X", ("n", "d")), gc.input("W", ("d", 3))
    b = gc.input("b", ("n", 1))
    return X @ W + b


def logistic():
    """A loss and its gradient, in a dict."""
    n, d = gc.dims("n d")
    X, y = gc.input("X", (n, d)), gc.input("y", (n,))
    w = gc.input("w", (d,))
    margin = y * (X @ w)
    fit = gc.mean(gc.softplus(-margin))
    loss = fit + 0.01 * gc.sum(w**2)
    return {"loss": loss, "grad": gc.grad(loss, w)}


def guarded():
    """Scalars, a guard carried into the derivative, a second derivative."""
    x = gc.input("x")
    root = gc.where(x > 0, gc.sqrt(x), 0)
    slope = gc.grad(root, x)
    return root, slope, gc.grad(slope, x)


def views():
    """Nothing but views: what is returned is copied, a size is solved for."""
    x = gc.input("x", (gc.dim("n") * 2, 2))
    table = gc.constant([[1.0, 2.0], [3.0, 4.0]])
    return [x.T, x[::-1, 0], [gc.reshape(x, (-1,)), table, x]]


PROGRAMS = (affine, logistic, guarded, views)


def source(program):
    return gc.compile(program(), name=program.__name__).source


def main():
    FOLDER.mkdir(exist_ok=True)
    for program in PROGRAMS:
        (FOLDER / f"{program.__name__}.py").write_text(source(program), encoding="utf-8")


if __name__ == "__main__":
    main()
