"""Runs the server binary: `python -m longshore serve` is `longshore serve`."""

import os
import sys

from longshore.testing import binary


def main() -> None:
    """Replace this process, so that signals and the exit code are those of the binary."""
    try:
        path = str(binary())
    except FileNotFoundError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    # The server reads LONGSHORE_* as settings and refuses those that it does not know.
    environment = {k: v for k, v in os.environ.items() if k != "LONGSHORE_BINARY"}
    os.execve(path, [path, *sys.argv[1:]], environment)


if __name__ == "__main__":
    main()
