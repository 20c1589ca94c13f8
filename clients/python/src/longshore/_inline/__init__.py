"""`Longshore.inline()`: submissions that run at once in the calling thread, for tests."""

from .sent import Sent, SentCall
from .session import InlineSession
from .store import Store

__all__ = ["InlineSession", "Sent", "SentCall", "Store"]
