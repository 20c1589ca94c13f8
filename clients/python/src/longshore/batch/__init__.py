"""Batches: jobs that are submitted together, counted together, and read in order."""

from .batch import Batch
from .counts import Counts

__all__ = ["Batch", "Counts"]
