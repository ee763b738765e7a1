"""What a program is called with, what it keeps, and how its answers are compared with others."""

import itertools
import threading

import numpy as np

import graphc as gc
from graphc.plan.carried import tiling
from graphc.plan.program import small_sizes


def all_is_large(monkeypatch, tile_bytes=tiling.TILE_BYTES):
    """Small arrays go the ways of large ones: through tiles, threads and kept memory."""
    monkeypatch.setattr(small_sizes, "SMALL", -1)
    monkeypatch.setattr(tiling, "THREAD_WORK", 0)
    monkeypatch.setattr(tiling, "TILE_BYTES", tile_bytes)


def compiled(form, **options):
    """As written: what simplifying does is another matter."""
    return gc.compile(form, simplify=False, **options)


def arguments(f, sizes, seed=0):
    rng = np.random.default_rng(seed)
    values = {}
    for v in f.graph.parameters:
        shape = tuple(s if isinstance(s, int) else sizes[str(s)] for s in v.shape)
        drawn = rng.integers(0, 2, shape) if v.dtype.kind == "i" else rng.uniform(-2, 2, shape)
        values[v.name] = np.asarray(drawn, v.dtype)
    return values


def leaves(results):
    return [np.asarray(v) for v in results]


def assert_same_bits(want, got):
    for a, b in zip(leaves(want), leaves(got), strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_array_equal(a, b)


def assert_close(want, got):
    for a, b in zip(leaves(want), leaves(got), strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        rtol = 1e-5 if a.dtype == np.float32 else 1e-9
        np.testing.assert_allclose(b, a, rtol=rtol, atol=rtol)


def namespace(f):
    return f._run.__wrapped__.__globals__


def workspaces(f):
    """The memory that a function keeps, for all sizes."""
    return [work for works in namespace(f).get("spare", {}).values() for work in works]


def kept_arrays(f):
    """All the memory that a function keeps: workspaces, and what buffers of tiles lie in."""
    return [*itertools.chain(*workspaces(f)), *namespace(f).get("spare_memory", [])]


def assert_threads_agree(f, given, times):
    """Each thread calls with arguments of its own, and gets what one thread alone gets."""
    want, failures = [f(**values) for values in given], []

    def calls(k):
        for _ in range(times):
            try:
                assert_same_bits(want[k], f(**given[k]))
            except AssertionError as error:
                failures.append(error)

    threads = [threading.Thread(target=calls, args=(k,)) for k in range(len(given))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
