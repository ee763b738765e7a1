"""Files that graphc writes, into folders that are there: told before any work is done for them."""

from __future__ import annotations

import os

from .errors import ArgumentError


def in_folder(path: str | os.PathLike[str], what: str) -> str:
    """The path that something is written to; an error where its folder is not there."""
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise ArgumentError(f"{what} is written to a file, whose path {path!r} is not")
    file = os.fspath(path)
    folder = os.path.dirname(file)
    if folder and not os.path.isdir(folder):
        raise ArgumentError(f"{what} is written into a folder that is there, and {folder} is not")
    return file
