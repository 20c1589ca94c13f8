"""A server that jobs of the kinds `http` and `chat` call."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Service:
    """Keeps the requests, and answers each with `answer` as JSON."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[dict[str, Any]] = []
        self.status = 200
        self.answer: Any = {}

    def say(self, text: str) -> None:
        """Answers as a model server does."""
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        kind = {"object": "chat.completion", "id": "c1", "created": 1, "model": "mock"}
        self.answer = {**kind, "choices": [choice], "usage": usage}


@contextmanager
def run_service() -> Generator[Service, None, None]:
    """Runs a service on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            service.requests.append({"path": self.path, "headers": headers, "body": body})
            raw = isinstance(service.answer, bytes)
            content = service.answer if raw else json.dumps(service.answer).encode()
            self.send_response(service.status)
            self.send_header("content-type", "application/x-raw" if raw else "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Prints nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service = Service(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield service
        server.shutdown()
        thread.join()
