"""Programs that the server's configuration lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from longshore.task.call import Call
from longshore.task.submittable import Submittable

if TYPE_CHECKING:
    from longshore.job import Job


class CommandTask(Submittable):
    """Programs that the server's configuration lists.

    `ls.command.submit("wordcount", stdin="a b")` runs one. `args` are arguments after those of the
    configuration; `stdin` is a text, or another value, which is written as JSON. The result is the
    JSON value that the program writes, or its text.
    """

    def submit(self, name: str, args: Sequence[str] | None = None, stdin: Any = None) -> Job[Any]:
        """Submits a run of a program. The job is on the server's disk when this returns."""
        return self.app.submit(self.s(name, args, stdin))

    async def asubmit(
        self, name: str, args: Sequence[str] | None = None, stdin: Any = None
    ) -> Job[Any]:
        """Like `submit`, on the running event loop."""
        return await self.app.asubmit(self.s(name, args, stdin))

    delay = submit

    def s(self, name: str, args: Sequence[str] | None = None, stdin: Any = None) -> Call[Any]:
        """Returns a run that is not submitted yet, for batches and `then`."""
        if isinstance(args, str):
            raise TypeError(f"command: args must be a list of texts, such as [{args!r}]")
        payload: dict[str, Any] = {"name": name}
        if args is not None:
            payload["args"] = list(args)
        if stdin is not None:
            payload["stdin"] = self._encode(stdin)
        return Call("command", payload, self.default_options, output, is_remote=False)

    def _encode(self, stdin: Any) -> Any:
        try:
            return self.app.codec.encode(stdin)
        except TypeError as error:
            raise TypeError(f"command: the argument 'stdin': {error}") from error


def output(result: Any) -> Any:
    """Returns the output of a program."""
    return result
