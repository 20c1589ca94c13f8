"""`parallel` of fastcore: the results in order, from threads and from processes."""

import os
import threading
import time

from longshore.fast import parallel


def slow_square(n: int) -> int:
    time.sleep(0.5)
    return n * n


def process_of(n: int) -> int:
    time.sleep(0.3)
    return os.getpid()


if __name__ == "__main__":
    started, main = time.perf_counter(), threading.get_ident()
    squares = parallel(slow_square, range(8), n_workers=8, threadpool=True)
    seconds = time.perf_counter() - started
    processes = set(parallel(process_of, range(4), n_workers=2))
    print(f"threads: {squares} in {seconds:.1f} s; processes: {len(processes)}, not this one")
