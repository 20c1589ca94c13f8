"""A lifespan in the forms that frameworks ask for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import Any


class Running:
    """The time for which an application runs.

    It is a context manager for Starlette and FastAPI, and a generator for FastHTML, which iterates
    over it.
    """

    def __init__(self, generator: AsyncGenerator[Any, None]) -> None:
        self._generator = generator

    async def __aenter__(self) -> Any:
        """Begin with the application."""
        return await anext(self._generator)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End with the application."""
        if error is None:
            await anext(self._generator, None)
            return
        try:
            await self._generator.athrow(error)
        except BaseException as raised:
            if raised is not error:
                raise

    def __aiter__(self) -> AsyncIterator[Any]:
        """Return the generator."""
        return self._generator
