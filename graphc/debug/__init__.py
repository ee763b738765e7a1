"""Debug: where the first NaN or inf of a run comes from, and what to do about it."""

from .diagnosis import Diagnosis, diagnosed

__all__ = ["Diagnosis", "diagnosed"]
