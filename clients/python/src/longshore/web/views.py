"""Views: the functions of an application that show a result, found by their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

View = Callable[[Any], Any]
F = TypeVar("F", bound=View)

_views: dict[str, View] = {}


@overload
def view(fn: F, /) -> F: ...
@overload
def view(*, name: str) -> Callable[[F], F]: ...
def view(fn: F | None = None, /, *, name: str | None = None) -> F | Callable[[F], F]:
    """Let pages show results with a function of a module: `JobView(job, render=this_function)`.

    The page asks for the next state by an address that names the function. So every process of the
    application knows it as soon as the module is imported, also after a restart.
    """

    def register(function: F) -> F:
        _register(name or function.__name__, function)
        return function

    return register if fn is None else register(fn)


def _register(name: str, function: View) -> None:
    other = _views.get(name)
    if other is not None and _place(other) != _place(function):
        raise ValueError(
            f"two views have the name {name!r}: {_place(other)} and {_place(function)}; "
            "give one of them another name with @view(name=...)"
        )
    _views[name] = function


def _place(function: View) -> str:
    """Return where a function is defined: the same for a file that is run and imported again."""
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


def view_name(render: View | None) -> str:
    """Return the name of a view for an address; empty for the default one."""
    if render is None or render is str:
        return ""
    for name, function in _views.items():
        if function is render:
            return name
    raise ValueError(
        f"{getattr(render, '__qualname__', render)} is not known as a view; define it at the top"
        " level of a module, with the decorator @longshore.web.view"
    )


def find_view(name: str) -> View | None:
    """Return the view of an address: the default one without a name, None for an unknown one."""
    return show_text if not name else _views.get(name)


def show_text(result: Any) -> Any:
    """Show a result as text: the default view. Of an answer of a model, its text."""
    return getattr(result, "text", result)
