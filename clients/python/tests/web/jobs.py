"""Jobs that the server runs itself, and jobs that a test runs as their worker."""

from __future__ import annotations

from typing import Any

from longshore import Call, Job, Longshore
from longshore._http import Request
from longshore.task import Options


def submit(ls: Longshore, kind: str, payload: Any = None, remote: bool = False) -> Job[Any]:
    """Submit a job of any kind."""
    return ls.submit(Call(kind, payload, Options(), lambda value: value, is_remote=remote))


def echo(value: Any) -> Call[Any]:
    """Return a call of the kind `echo`, whose result is its payload."""
    return Call("echo", value, Options(), lambda value: value, is_remote=False)


def work() -> Call[Any]:
    """Return a call for a test that is its worker."""
    return Call("work", None, Options(), lambda value: value, is_remote=True)


def lease(ls: Longshore, kind: str) -> dict[str, Any]:
    """Lease the next job of a kind."""
    body = {"kinds": [kind], "wait": "10s"}
    leased: dict[str, Any] = ls.session.send(
        Request("POST", "/v1/leases", body=body, wait=10)
    ).json()
    job: dict[str, Any] = leased["jobs"][0]
    return job


def report(ls: Longshore, job: dict[str, Any], action: str, **fields: Any) -> None:
    """Report on a leased job."""
    body = {"lease_token": job["lease_token"], **fields}
    ls.session.send(Request("POST", f"/v1/leases/{job['id']}/{action}", body=body)).check()
