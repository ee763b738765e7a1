"""Check: derivatives got in different ways, held against each other; the laws of an op."""

from .compare import check
from .numeric import central, complex_step, continued
from .report import Report, Row

__all__ = ["Report", "Row", "central", "check", "complex_step", "continued"]
