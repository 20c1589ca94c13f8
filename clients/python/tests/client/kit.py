"""What the tests of the client share: a worker moved by hand, and a proxy that cuts answers."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

import httpx2


class Hand:
    """A worker whose steps a test takes one by one."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=url, timeout=40)
        self._tokens: dict[int, int] = {}

    def take(self, *kinds: str, limit: int = 1) -> list[dict[str, Any]]:
        """Leases jobs, which are there or come soon."""
        body = {"kinds": list(kinds), "limit": limit, "lease": 60, "wait": "20s"}
        jobs: list[dict[str, Any]] = self._post("/v1/leases", body)["jobs"]
        self._tokens.update({job["id"]: job["lease_token"] for job in jobs})
        return jobs

    def report(self, job: int, action: str, **fields: Any) -> dict[str, Any]:
        """Reports about a job that was taken."""
        body = {"lease_token": self._tokens[job], **fields}
        answer: dict[str, Any] = self._post(f"/v1/leases/{job}/{action}", body)
        return answer

    def complete(self, job: int, result: Any = None) -> None:
        """Completes a job that was taken."""
        self.report(job, "complete", result=result)

    def fail(self, job: int, code: str, message: str, **fields: Any) -> None:
        """Fails a job that was taken, for ever."""
        self.report(
            job, "fail", error={"code": code, "message": message, **fields}, retryable=False
        )

    def run(self, kind: str, result: Callable[[Any], Any], count: int) -> None:
        """Takes and completes some jobs of a kind."""
        left = count
        while left:
            for job in self.take(kind, limit=left):
                self.complete(job["id"], result(job["payload"]))
                left -= 1

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()

    def _post(self, path: str, body: Any) -> Any:
        return self._http.post(path, json=body).raise_for_status().json()


class Proxy:
    """A TCP proxy before a server. It cuts its first answers, but passes on the requests."""

    def __init__(self, url: str, cuts: int = 0) -> None:
        target = httpx2.URL(url)
        self._target = (target.host, target.port or 80)
        self._cuts = cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self.closed_by_client = threading.Event()
        self._sent = bytearray()
        self._changed = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accepts no more connections."""
        self._listener.close()

    def wait_for(self, text: bytes, timeout: float = 20) -> None:
        """Waits until the server has been sent a text, such as a part of a URL."""
        with self._changed:
            assert self._changed.wait_for(lambda: text in self._sent, timeout), text

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answer, args=(client, server), daemon=True).start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with server, contextlib.suppress(OSError):
            try:
                while data := client.recv(65536):
                    server.sendall(data)
                    with self._changed:
                        self._sent += data
                        self._changed.notify_all()
            finally:
                self.closed_by_client.set()
                server.shutdown(socket.SHUT_RDWR)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (data := server.recv(65536)) and not self._cuts:
                client.sendall(data)
            self._cuts -= bool(self._cuts)
        with contextlib.suppress(OSError), client:
            # Closing alone has no effect while the other thread reads.
            client.shutdown(socket.SHUT_RDWR)
