"""Check: derivatives got in different ways, held against each other; the laws of an op."""

from .compare import check
from .numeric import central, complex_step, continued
from .op import OpReport, check_op
from .report import Report, Row

__all__ = [
    "OpReport", "Report", "Row", "central", "check", "check_op", "complex_step", "continued",
]
