"""`python -m longshore.worker.cli` is `longshore-worker`."""

import sys

from . import main

if __name__ == "__main__":
    sys.exit(main())
