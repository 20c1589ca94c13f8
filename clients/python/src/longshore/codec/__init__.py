"""Values of Python to JSON values and back, by type annotations."""

from .codec import Codec
from .text import dumps, loads

__all__ = ["Codec", "dumps", "loads"]
