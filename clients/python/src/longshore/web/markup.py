"""HTML of a job for a page: its state and progress, then its answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, cast

_WORDS = {
    "scheduled": "planned for later",
    "queued": "waiting",
    "running": "running",
    "retrying": "an attempt failed; another one follows",
    "cancelled": "cancelled",
    "failed": "failed",
    "gone": "This is no longer stored.",
    "expired": "This view has expired. Reload the page.",
    "away": "The job server cannot be reached. Trying again.",
}


class Markup(str):
    """HTML that is not escaped again, by FastHTML, Jinja and others that know `__html__`."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return the HTML itself."""
        return self


@dataclass(frozen=True)
class Shown:
    """What a page shows of a job or batch."""

    id: int
    #: State of the job or batch; or `gone`, `expired` or `away`, when it cannot be read.
    state: str
    label: str = ""
    percent: float | None = None
    message: str = ""
    #: HTML of the answer, once the job is completed.
    answer: str = ""
    what: str = "job"

    @property
    def is_last(self) -> bool:
        """Whether nothing more will change."""
        return self.state in {"completed", "failed", "cancelled", "gone", "expired"}


def to_html(content: Any) -> str:
    """Return the HTML of what a view returned: FastHTML components, `__html__`, or escaped text."""
    if content is None:
        return ""
    if hasattr(content, "__html__"):
        return str(content.__html__())
    if type(content).__name__ == "NotStr":  # of FastHTML: HTML as it is
        return str(content)
    if hasattr(content, "__ft__"):
        return to_html(content.__ft__())
    if isinstance(content, (list, tuple)):
        return "".join(to_html(part) for part in cast("Iterable[Any]", content))
    return text_html(str(content))


def text_html(text: str) -> str:
    """Return escaped text with its paragraphs and line breaks."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "".join(f"<p>{'<br>'.join(escape(part).splitlines())}</p>" for part in paragraphs)


def element(name: str, attributes: Mapping[str, str | None], content: str) -> str:
    """Return an HTML element. An attribute that is `None` is left out."""
    given = {key: value for key, value in attributes.items() if value is not None}
    text = "".join(f' {key}="{escape(value)}"' for key, value in given.items())
    return f"<{name}{text}>{content}</{name}>"


def job_element(shown: Shown, attributes: Mapping[str, str | None] | None = None) -> str:
    """Return the element of a job. `attributes` are those that fetch the next state."""
    common = {
        "class": "longshore-job",
        f"data-{shown.what}": str(shown.id),
        "data-state": shown.state,
        "role": _role(shown.state),
        "aria-busy": None if shown.is_last else "true",
    }
    return element("div", {**common, **(attributes or {})}, _content(shown))


def _role(state: str) -> str | None:
    """Return the role with which a screen reader reads an outcome that appears on the page."""
    if state == "failed":
        return "alert"
    return "status" if state in {"completed", "cancelled"} else None


def _content(shown: Shown) -> str:
    if shown.state == "completed":
        return shown.answer
    if shown.is_last:
        words = _WORDS.get(shown.state, shown.state)
        return text_html(f"{words}: {shown.message}" if shown.message else words)
    return _bar(shown) + element("small", {}, escape(_progress_text(shown)))


def _bar(shown: Shown) -> str:
    """Return the progress bar: with a value if the job reports one, else one that only moves."""
    label = shown.label or f"{shown.what.capitalize()} {shown.id}"
    attributes = {"role": "progressbar", "aria-label": label, "max": "100"}
    if shown.percent is None:
        return element("progress", {**attributes, "aria-valuetext": _progress_text(shown)}, "")
    value = f"{shown.percent:g}"
    numbers = {"value": value, "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": value}
    return element("progress", {**attributes, **numbers}, f"{shown.percent:.0f} %")


def _progress_text(shown: Shown) -> str:
    words = _WORDS.get(shown.state, shown.state)
    if shown.state == "running" and shown.percent is not None:
        words = f"{shown.percent:.0f} %"
    return f"{words}, {shown.message}" if shown.message else words
