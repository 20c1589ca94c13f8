"""Serve a FastHTML example on a free port, with htmx from this folder in place of the public one.

python serve.py examples/app.py
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import fasthtml.core
import uvicorn
from fasthtml.common import Script  # pyright: ignore[reportUnknownVariableType]
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

HTMX = {"2": "htmx-2.min.js", "4": "htmx-4.min.js"}[os.environ.get("HTMX", "2")]


def load(path: Path) -> Any:
    """Import an example by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def htmx(request: Request) -> Response:
    """Return the script."""
    script = Path(__file__).parents[1] / "web" / "assets" / HTMX
    return Response(script.read_bytes(), media_type="text/javascript")


class Announcing(uvicorn.Server):
    """Prints the address once the application has started."""

    async def startup(self, sockets: Any = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        print(f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}", flush=True)


def main() -> None:
    """Serve the example until SIGTERM."""
    fasthtml.core.htmxsrc = Script(src="/htmx.js")  # pyright: ignore[reportUnknownMemberType]
    app = load(Path(sys.argv[1]).resolve()).app
    app.router.routes.insert(0, Route("/htmx.js", htmx))
    config = uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=2)
    Announcing(config).run()


if __name__ == "__main__":
    main()
