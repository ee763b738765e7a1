"""graphc beside its peers: python -m benchmarks [--only network LSTM] [--peers jax,C] [--json FILE]

Every workload, every peer that is installed (pip install graphc[bench]), in one run: results are
compared with NumPy's first, then all take turns, and medians of their ratios are shown.
"""

import argparse
import json
import math
import os
import sys
from contextlib import suppress
from time import perf_counter
from typing import TextIO

from .measure import measure, workers_for
from .peers import OURS, PEERS
from .table import best, data, document
from .workloads import ROWS


def chosen_peers(text: str) -> list[str]:
    """The peers asked for, in their own order; of all peers, those that are installed."""
    spelled = {name.lower(): name for name in PEERS}
    given = [name.strip() for name in text.split(",") if name.strip()]
    asked = [spelled.get(name.lower(), name) for name in given]
    unknown = [name for name in asked if name not in PEERS]
    if unknown:
        raise SystemExit(f"no peer {', '.join(unknown)}: there are {', '.join(PEERS)}")
    wanted = [name for name in PEERS if not asked or name in (OURS, *asked)]
    for name in wanted:
        if PEERS[name].lacking:
            print(f"without {name}: no {', '.join(PEERS[name].lacking)}", file=sys.stderr)
    return [name for name in wanted if not PEERS[name].lacking]


def not_negative(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 on")
    return number


def positive(text: str) -> float:
    if number := not_negative(text):
        return number
    raise argparse.ArgumentTypeError(f"{text} is not above 0")


def threads(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def file(text: str) -> TextIO:
    """Opened before anything is measured."""
    try:
        return open(text, "w")
    except OSError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 if a result of ours was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[""], help="rows that hold one of these texts")
    parser.add_argument("--peers", default="", help="by commas; all that are installed otherwise")
    parser.add_argument("--json", type=file, help="a file for everything that was measured")
    parser.add_argument("--threads", type=threads, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--limit", type=positive, default=40, help="seconds for a peer to compile")
    parser.add_argument("--seconds", type=not_negative, default=6, help="for the rounds of one row")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    options = parser.parse_args(arguments)

    rows = [row for name, row in ROWS.items() if any(text in name for text in options.only)]
    if options.list:
        print("\n".join(ROWS))
        return 0
    if not rows:
        parser.error(f"no row holds {' or '.join(options.only)}; --list prints their names")
    peers, measured = chosen_peers(options.peers), []
    # Ctrl-C ends the measuring; what was measured is shown.
    with workers_for(peers, options.threads) as workers, suppress(KeyboardInterrupt):
        for count, row in enumerate(rows, 1):
            start = perf_counter()
            measured.append(measure(row, workers, options.limit, options.seconds))
            ratio = best(measured[-1])
            told = measured[-1].cells[OURS].note if ratio is None else f"best / ours {ratio:.2f}"
            seconds = f"{perf_counter() - start:.0f} s"
            print(f"{count} of {len(rows)}, {seconds}, {row.name}: {told}", file=sys.stderr)
    print(document(measured, peers, options.threads))
    if options.json:
        json.dump(data(measured, options.threads), options.json, indent=1)
        options.json.close()
    return int(any(m.cells[OURS].is_wrong for m in measured))


if __name__ == "__main__":
    sys.exit(main())
