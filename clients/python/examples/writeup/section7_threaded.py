"""`threaded` of fastcore: a call returns at once."""

import time

from longshore.fast import threaded


@threaded
def slow(name: str) -> str:
    time.sleep(0.5)
    return f"{name} is ready"


if __name__ == "__main__":
    started = time.perf_counter()
    tea, toast = slow("tea"), slow("toast")
    alive = tea.is_alive()
    tea.join()
    results = f"{tea.result()}, {toast.result()}"
    print(f"alive at first: {alive}; {results} after {time.perf_counter() - started:.1f} s")
