"""`startthread` of fastcore: a function that runs from its definition on."""

import time

from longshore.fast import startthread

if __name__ == "__main__":
    lines: list[str] = []

    @startthread
    def reader() -> int:
        for n in range(3):
            time.sleep(0.1)
            lines.append(f"line {n}")
        return len(lines)

    before = len(lines)
    print(f"{before} lines at first, {reader.result()} at the end; job {reader.id} {reader.kind}")
