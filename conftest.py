"""Every test and every document has graphc's own ops, and no nodes but its own and its file's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import pytest

from graphc import ir

# What a file made when it was imported, such as a table of expressions and what becomes of them.
OF_FILES: dict[Path, WeakValueDictionary[Any, ir.Node]] = {}


def leave(kept: WeakValueDictionary[Any, ir.Node]) -> None:
    """Let no nodes be met again but these, and constants: some stand in what graphc remembers.

    A node that is met again has the line and the name that it was given first, and nodes live as
    long as anything holds them: without this, one test would change what another prints.
    """
    for key, node in list(ir.interned.items()):
        if key not in kept and (node.op.family != "leaf" or node.op is ir.OPS["input"]):
            ir.interned.pop(key, None)
    ir.interned.update(kept)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Note the nodes that a file makes; whoever looks for documents may have imported it before."""
    leave(WeakValueDictionary())
    report = yield
    if isinstance(collector, pytest.File):
        OF_FILES.setdefault(collector.path, WeakValueDictionary()).update(ir.interned)
    return report


@pytest.fixture(autouse=True)
def own_nodes(request: pytest.FixtureRequest) -> None:
    """A test meets the nodes of its file, and none that another test left alive."""
    leave(OF_FILES.get(request.path, WeakValueDictionary()))


@pytest.fixture(autouse=True)
def own_ops() -> Iterator[None]:
    """Ops made in a test are gone after it: the laws are for those of graphc."""
    known = dict(ir.OPS), dict(ir.FUNCTIONS)
    yield
    for table, before in zip((ir.OPS, ir.FUNCTIONS), known, strict=True):
        for name in set(table) - set(before):
            del table[name]


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layout engine inside pygraphviz: a `dot` on the path may be of another version."""
    monkeypatch.setenv("PATH", "")
