"""Kinds that the server runs by itself, as tasks: `chat`, `http` and `command`."""

from .chat import ChatAnswer, ChatTask
from .command import CommandTask
from .http import HttpAnswer, HttpTask

__all__ = ["ChatAnswer", "ChatTask", "CommandTask", "HttpAnswer", "HttpTask"]
