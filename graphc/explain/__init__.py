"""Where a derivative comes from: the steps of the algorithm, their formulas, reasons, values."""

from .explanation import Explanation, explain

__all__ = ["Explanation", "explain"]
