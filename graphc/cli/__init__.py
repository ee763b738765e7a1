"""The command line: derive, compile, draw, check, explain, ops and bench."""

from .main import main

__all__ = ["main"]
