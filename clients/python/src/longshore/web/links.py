"""Addresses with which a page asks for the next state of a job."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

PREFIX = "/longshore"

What = Literal["job", "batch"]
PLURALS: dict[What, str] = {"job": "jobs", "batch": "batches"}

_log = logging.getLogger("longshore.web")
_mounted: set[str] = set()


def path_of(prefix: str) -> str:
    """Return a prefix with a slash before it and none after it; of the root, an empty text."""
    path = prefix.strip("/")
    return f"/{path}" if path else ""


def mounted(prefix: str) -> None:
    """Note that this program serves the addresses below a prefix."""
    _mounted.add(prefix)


def is_mounted(prefix: str) -> bool:
    """Return whether this is the prefix of routes of this program."""
    return prefix in _mounted


def check_mounted(prefix: str) -> None:
    """Warn about a view whose page would wait for ever, unless another program serves it."""
    if not any(prefix.endswith(known) for known in _mounted):
        _log.warning(
            "no routes of this program begin with %s, where JobView asks for the job: add"
            " longshore.web.routes(ls) to the routes of the application",
            prefix,
        )


@dataclass(frozen=True)
class ViewLink:
    """What an address says: which job, by which right, and how it is shown.

    The token is the right. The other values choose among what the holder may see anyway, so that
    they need no signature.
    """

    id: int
    token: str
    view: str = ""
    label: str = ""
    poll: float = 1.0
    prefix: str = PREFIX
    what: What = "job"

    @property
    def place(self) -> str:
        """The path of the job or batch in the HTTP API, and below the prefix."""
        return f"/{PLURALS[self.what]}/{self.id}"

    def fragment(self) -> str:
        """Return the address of the HTML of the job as it is now."""
        return self._address("view", {"poll": f"{self.poll:g}"})

    def stream(self) -> str:
        """Return the address of the HTML of the job as server-sent events."""
        return self._address("stream", {})

    def script(self) -> str:
        """Return the address of the script that shows such a stream."""
        return f"{self.prefix}/job_view.js"

    def _address(self, name: str, further: dict[str, str]) -> str:
        given = {"token": self.token, "view": self.view, "label": self.label, **further}
        query = urlencode({key: value for key, value in given.items() if value})
        return f"{self.prefix}{self.place}/{name}?{query}"

    def polling(self) -> dict[str, str | None]:
        """Return the htmx attributes that fetch the next state, the same for htmx 2 and 4.

        `every` goes on after an error, which `load delay` would not. htmx 4 shows error pages of a
        proxy unless `hx-status` says otherwise; with FastHTML its attributes have a hyphen for the
        colon.
        """
        return {
            "hx-get": self.fragment(),
            "hx-trigger": f"every {round(self.poll * 1000)}ms",
            "hx-target": "this",
            "hx-swap": "outerHTML",
            "hx-push-url": "false",
            "hx-status:5xx": "swap:none",
            "hx-status-5xx": "swap:none",
        }
