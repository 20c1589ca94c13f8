"""HTTP: requests that are repeated until they are answered, and streams that reconnect.

An operation is a generator that yields requests and receives their responses, so that it is written
once; a session runs it, in the calling thread (`run`) or on the running event loop (`arun`).
"""

from .message import Operation, Request, Response, key_header, random_key
from .session import Session

__all__ = ["Operation", "Request", "Response", "Session", "key_header", "random_key"]
