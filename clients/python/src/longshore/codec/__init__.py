"""Values of Python to JSON values and back, by type annotations."""

from .codec import Codec
from .same import is_same
from .text import dumps, is_list, is_object, loads

__all__ = ["Codec", "dumps", "is_list", "is_object", "is_same", "loads"]
