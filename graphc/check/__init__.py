"""Check: derivatives got in different ways, held against each other; the laws of an op."""

from .numeric import central, complex_step, continued

__all__ = ["central", "complex_step", "continued"]
