"""Run the Python blocks of the guide in their order, in one program.

    python guide.py docs/PYTHON.md FOLDER

Blocks that start with the name of a file, such as `# tasks.py`, become files of the folder. `await`
may be used at the top level of the others.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple


class Block(NamedTuple):
    """A block of code, with the number of its first line in the page."""

    line: int
    code: str

    @property
    def file(self) -> str | None:
        """The name of the file that it is, or None."""
        found = re.match(r"# (\w+\.py)\n", self.code)
        return found and found[1]


def blocks(page: Path) -> list[Block]:
    """Return the Python blocks of a page."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(text.count("\n", 0, match.start(1)) + 1, match[1]) for match in found]


def write_files(page: Path, folder: Path) -> list[str]:
    """Write the blocks that are files, and return their names."""
    files = [(block.file, block.code) for block in blocks(page) if block.file]
    for name, code in files:
        (folder / name).write_text(code, encoding="utf-8")
    return [name for name, _ in files]


def run(page: Path) -> int:
    """Run the other blocks and return their number. Those with `await` share an event loop."""
    loop = asyncio.new_event_loop()
    names: dict[str, Any] = {"__name__": "guide"}
    others = [block for block in blocks(page) if not block.file]
    for block in others:
        # Errors have the line of the page.
        tree = ast.parse("\n" * (block.line - 1) + block.code, str(page))
        code = compile(tree, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        waiting = eval(code, names)
        if inspect.isawaitable(waiting):
            loop.run_until_complete(waiting)
    return len(others)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[2])
    print(run(Path(sys.argv[1])))
