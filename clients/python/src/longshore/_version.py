"""The version of this package, which is also that of the server in it."""

from __future__ import annotations

from functools import cache


@cache
def version() -> str:
    """Return the version, or `unknown` if the source folder is used without an installation."""
    # This import takes longer than most programs need it.
    from importlib import metadata

    try:
        return metadata.version("longshore")
    except metadata.PackageNotFoundError:
        return "unknown"
