"""Loads the application that a command line names."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType

from longshore.client import Longshore


class LoadError(Exception):
    """The application cannot be loaded. `files` are those that a repair may change."""

    def __init__(self, message: str, files: set[Path] | None = None) -> None:
        super().__init__(message)
        self.files = files or set()


def load(name: str) -> Longshore:
    """Return the application that a name such as `app:ls` means.

    `app` is enough if the module has one only. Modules are found in the current folder first.
    Raises LoadError.
    """
    module_name, _, attribute = name.partition(":")
    if module_name.endswith(".py") or "/" in module_name:
        better = module_name.removesuffix(".py").strip("./").replace("/", ".")
        raise LoadError(f"name the module, not its file: {better}:{attribute or 'ls'}")
    module = _imported(module_name)
    if not attribute:
        return _only_application(module)
    value: object = module
    for part in attribute.split("."):
        value = getattr(value, part, None)
    if isinstance(value, Longshore):
        return value
    found = f"is a {type(value).__name__}" if value is not None else "does not exist"
    raise LoadError(
        f"{name} {found}; it must be a Longshore object. {_what_there_is(module)}", _files(module)
    )


def _imported(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise LoadError(
                f"there is no module {error.name!r} in {folder} or on PYTHONPATH"
            ) from error
        raise LoadError(_import_error(name, error), _files_of(error)) from error
    except Exception as error:
        raise LoadError(_import_error(name, error), _files_of(error)) from error


def _import_error(name: str, error: Exception) -> str:
    frames = error.__traceback__
    while frames is not None and _is_machinery(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames))
    return f"the module {name!r} cannot be imported:\n{text.rstrip()}"


def _is_machinery(file: str) -> bool:
    return file == __file__ or file.startswith("<frozen") or f"{os.sep}importlib{os.sep}" in file


def _only_application(module: ModuleType) -> Longshore:
    names = _names(module)
    if len(names) == 1:
        application: Longshore = getattr(module, names[0])
        return application
    raise LoadError(
        f"name the object as well, such as {module.__name__}:ls. {_what_there_is(module)}",
        _files(module),
    )


def _names(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if isinstance(value, Longshore)]


def _what_there_is(module: ModuleType) -> str:
    names = _names(module)
    if not names:
        return f"The module {module.__name__!r} has no Longshore object"
    found = ", ".join(f"{module.__name__}:{name}" for name in names)
    return f"The module {module.__name__!r} has: {found}"


def _files(module: ModuleType) -> set[Path]:
    return {Path(module.__file__)} if module.__file__ else set()


def _files_of(error: BaseException) -> set[Path]:
    """Return the files that an error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    files = {Path(frame.filename) for frame in frames}
    if isinstance(error, SyntaxError) and error.filename:
        files.add(Path(error.filename))
    return files
