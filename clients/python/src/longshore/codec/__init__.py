"""Values of Python to JSON values and back, by type annotations."""

from .codec import Codec
from .text import dumps, is_list, is_object, loads

__all__ = ["Codec", "dumps", "is_list", "is_object", "loads"]
