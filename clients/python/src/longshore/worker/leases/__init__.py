"""Leases: taking them, keeping them, and reporting what became of their jobs."""

from .lease import Lease, LeasedJob, StopReason

__all__ = ["Lease", "LeasedJob", "StopReason"]
