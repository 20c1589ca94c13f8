"""A pool of workers in the background of a program."""

import time

from longshore import Longshore, Worker

ls = Longshore(queue="pool")


@ls.task
def resize(picture: str) -> str:
    time.sleep(0.5)
    return picture.replace(".png", ".small.png")


if __name__ == "__main__":
    with Worker(ls, threads=3):
        started = time.perf_counter()
        results = list(resize.map([f"{n}.png" for n in range(6)]).results())
        seconds = time.perf_counter() - started
    print(f"6 jobs of 0.5 s on 3 threads: {seconds:.1f} s, {results[0]} to {results[-1]}")
