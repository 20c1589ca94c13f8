"""What all tasks share, those of the application and those that the server runs itself."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from longshore.duration import Duration

from .call import Call
from .options import NAMES, Backoff, Options, check_names

if TYPE_CHECKING:
    from typing_extensions import Never, Self

    from longshore.client import Longshore

    from .task import Task


class Submittable:
    """A kind of jobs with the options of its submissions."""

    def __init__(self, app: Longshore, kind: str, options: Options) -> None:
        self.app = app
        self.kind = kind
        self.default_options = options

    def options(
        self,
        *,
        queue: str | None = None,
        delay: Duration | None = None,
        run_at: datetime | str | None = None,
        priority: int | None = None,
        key: str | None = None,
        expires: Duration | datetime | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        retries: int | None = None,
        timeout: Duration | None = None,
        backoff: Backoff | Duration | None = None,
        at_most_once: bool | None = None,
        then: Call[Any] | Task[..., Any] | None = None,
        callback: str | Mapping[str, Any] | None = None,
        truncate_result: bool | None = None,
        **unknown: Never,
    ) -> Self:
        """Returns this task with other options: `task.options(delay="5m").submit(7)`.

        `key` makes a submission safe to repeat: the same key with the same arguments and options is
        the same job. `then` is submitted by the server when the job completes; its first free
        parameter receives the result.
        """
        check_names(unknown, NAMES, "a submission")
        changes = Options(
            queue=queue,
            delay=delay,
            run_at=run_at,
            priority=priority,
            key=key,
            expires=expires,
            tags=tags,
            metadata=metadata,
            retries=retries,
            timeout=timeout,
            backoff=backoff,
            at_most_once=at_most_once,
            then=then,
            callback=callback,
            truncate_result=truncate_result,
        )
        other = copy.copy(self)
        other.default_options = self.default_options.merged(changes)
        return other
