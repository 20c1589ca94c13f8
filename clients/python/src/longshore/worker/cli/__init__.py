"""The command `longshore-worker`."""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from longshore._http import Session
from longshore._version import version
from longshore.duration import seconds
from longshore.errors import LongshoreError
from longshore.worker.worker import Worker

from .application import LoadError, load
from .reload import Reloader, supervise, wait_for_repair

if TYPE_CHECKING:
    from longshore.client import Longshore

__all__ = ["main"]

_EXIT_TIMEOUT = 3.0
_RELOAD_GRACE = 1.0

log = logging.getLogger("longshore.worker")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code.

    It is 0 after SIGTERM or SIGINT, 1 if the server refuses the worker, and 2 if the command line
    is wrong or the application cannot be loaded.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = _parser().parse_args(arguments)
    if options.reload and not options.is_reloaded:
        return supervise(arguments)
    _set_environment(options)
    try:
        app = load(options.application)
    except LoadError as error:
        print(f"longshore-worker: {error}", file=sys.stderr)  # noqa: T201
        return wait_for_repair(options.application, error) if options.is_reloaded else 2
    logging.basicConfig(
        level=options.log.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpcore2").setLevel(logging.INFO)
    _use_server_of(app, options)
    if not app.url.startswith(("http://", "https://")):
        print(  # noqa: T201
            f"longshore-worker: the address {app.url!r} must start with http:// or https://, such"
            " as http://127.0.0.1:7373",
            file=sys.stderr,
        )
        return 2
    code = _run(app, options)
    _end_soon(code)
    return code


def _run(app: Longshore, options: argparse.Namespace) -> int:
    try:
        worker = Worker(
            app,
            queues=options.queue,
            threads=options.threads,
            processes=options.processes,
            coroutines=options.coroutines,
            lease=options.lease,
            grace=min(options.grace, _RELOAD_GRACE) if options.is_reloaded else options.grace,
            name=options.name,
        )
    except ValueError as error:
        option = str(error).replace("queues:", "queue:", 1)
        print(f"longshore-worker: --{option}", file=sys.stderr)  # noqa: T201
        return 2
    if not app.tasks:
        print(f"longshore-worker: {options.application} has no tasks", file=sys.stderr)  # noqa: T201
        return 2
    try:
        worker.check_tasks()
    except TypeError as error:
        print(f"longshore-worker: {error}", file=sys.stderr)  # noqa: T201
        return 2
    reloader = Reloader(worker.request_stop) if options.is_reloaded else None
    try:
        worker.run()
    except LongshoreError:  # which is in the log
        return 1
    return reloader.exit_code if reloader is not None else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="longshore-worker",
        description="Runs the tasks of a Python application.",
        epilog="The first SIGTERM or SIGINT lets running jobs end, a second one ends the worker at"
        " once. LONGSHORE_URL and LONGSHORE_KEY name the server and the key, which needs the scope"
        " work.",
    )
    add = parser.add_argument
    add("application", help="module and object of the application, such as app:ls")
    add(
        "--queue",
        action="append",
        default=[],
        metavar="NAME",
        help="queue to take jobs from; may be given several times; default: all queues, or"
        " those of the application and its tasks if it has a queue of its own",
    )
    add("--threads", type=int, default=8, metavar="N", help="`def` tasks at once; default: 8")
    add(
        "--processes",
        type=int,
        metavar="N",
        help="child processes, for tasks with process=True; default: 1 if there are such tasks",
    )
    add(
        "--coroutines",
        type=int,
        default=100,
        metavar="N",
        help="`async def` tasks at once; default: 100",
    )
    add(
        "--grace",
        type=_duration,
        default=25.0,
        metavar="DURATION",
        help="time for running jobs to end after a signal, such as 25 or 1m; default: 25 seconds",
    )
    add(
        "--lease",
        type=_duration,
        default=30.0,
        metavar="DURATION",
        help="time after which the server gives the jobs of a silent worker to others; default: 30"
        " seconds",
    )
    add("--version", action="version", version=f"longshore-worker {version()}")
    add("--name", help="name of the worker, for people; default: host name and process id")
    add("--url", help="address of the server; default: LONGSHORE_URL")
    add(
        "--key",
        help="API key; default: LONGSHORE_KEY. Prefer the variable, because other users of the"
        " machine can see the arguments of a process",
    )
    add(
        "--log",
        default="info",
        choices=["debug", "info", "warning", "error"],
        help="level of the log on stderr; default: info",
    )
    add(
        "--reload",
        action="store_true",
        help="start again when a file of the application changes; jobs that run then are released"
        " and run again. For development",
    )
    add("--is-reloaded", action="store_true", help=argparse.SUPPRESS)
    return parser


def _duration(text: str) -> float:
    """Return a duration of the command line in seconds."""
    try:
        return seconds(float(text) if re.fullmatch(r"[+-]?[0-9.]+", text) else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _set_environment(options: argparse.Namespace) -> None:
    """Pass the server to the application, and to its child processes."""
    if options.url:
        os.environ["LONGSHORE_URL"] = options.url
    if options.key:
        os.environ["LONGSHORE_KEY"] = options.key


def _use_server_of(app: Longshore, options: argparse.Namespace) -> None:
    """Use the given server although the application names another one."""
    url, key = options.url or app.url, options.key or app.session.key
    if (url, key) != (app.url, app.session.key):
        app.url = url
        app.session = Session(url, key, app.session.give_up)


def _end_soon(code: int) -> None:
    """End the process although threads of tasks still run: their jobs were released."""
    timer = threading.Timer(_EXIT_TIMEOUT, os._exit, (code,))
    timer.daemon = True
    timer.start()
