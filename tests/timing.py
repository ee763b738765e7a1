"""Time, as a test may speak of it: other work on the machine changes no verdict.

What else runs makes work slower, never faster. So processor time counts, of this process and of
those it starts; it is taken without Python's collector (as timeit does), whose work depends on all
that lives in the process; and of several rounds the least one counts.
"""

import gc as collector
import resource
import time
from contextlib import contextmanager

ROUNDS = 6


def _processor():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@contextmanager
def without_collector():
    """What others left behind is no work of what runs inside."""
    collector.collect()
    collector.disable()
    try:
        yield
    finally:
        collector.enable()


def seconds(work):
    """The processor time of `work()`."""
    with without_collector():
        start = _processor()
        work()
        return _processor() - start


def takes(work, limit):
    """The least seconds of `work()`, in as many rounds as it needs to come within the limit."""
    least = seconds(work)
    for _ in range(ROUNDS - 1):
        if least <= limit:
            break
        least = min(least, seconds(work))
    return least


def growth(prepare, small, large, limit):
    """How many times as long `prepare(large)` takes as `prepare(small)`, each a function without
    arguments: the least of rounds in turn, as many as it needs to come within the limit.
    """
    least = {small: float("inf"), large: float("inf")}
    for _ in range(ROUNDS):
        for size in least:
            least[size] = min(least[size], seconds(prepare(size)))
        if least[large] <= limit * least[small]:
            break
    return least[large] / least[small]
