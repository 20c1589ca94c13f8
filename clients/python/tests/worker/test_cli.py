"""The command `longshore-worker`."""

import signal
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

import longshore
from longshore import Longshore
from longshore.testing import Server
from longshore.worker.cli import main
from worker import sample as tasks
from worker.kit import Program, eventually

Start = Callable[..., Program]


def write(folder: Path, text: str, name: str = "shop.py") -> Path:
    file = folder / name
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("application", "text", "message"),
    [
        ("shop:ls", "", "shop:ls does not exist; it must be a Longshore object"),
        ("shop:ls", "ls = 5", "shop:ls is a int"),
        (
            "shop:app",
            "from longshore import Longshore\njobs = Longshore()",
            "has: shop:jobs",
        ),
        ("shop.py:ls", "", "name the module, not its file: shop:ls"),
        ("stop:ls", "", "there is no module 'stop'"),
        ("shop:ls", "import nonsense_module", "No module named 'nonsense_module'"),
        ("shop:ls", "ls = = 5", "SyntaxError"),
        ("shop:ls", "from longshore import Longshore\nls = Longshore()", "has no tasks"),
    ],
)
def test_an_application_that_cannot_be_loaded_is_explained(
    program: Start, tmp_path: Path, application: str, text: str, message: str
) -> None:
    write(tmp_path, text)
    worker = program(application=application, cwd=tmp_path)
    assert worker.process.wait(30) == 2
    assert message in worker.log
    assert "frozen importlib" not in worker.log


def test_a_bad_option_is_explained(program: Start) -> None:
    worker = program("--lease", "0.1")
    assert worker.process.wait(30) == 2
    assert "--lease: must be between 1 s and 24 h, not 0.1 s" in worker.log
    worker = program("--queue", "Mail")
    assert worker.process.wait(30) == 2
    assert "--queue: 'Mail' is not the name of a queue" in worker.log
    worker = program("--grace", "soon")
    assert worker.process.wait(30) == 2
    assert "argument --grace: 'soon' is not a duration" in worker.log
    worker = program("--url", "localhost:7")
    assert worker.process.wait(30) == 2
    assert "the address 'localhost:7' must start with http:// or https://" in worker.log


def test_durations_of_options_have_units_if_wanted(program: Start, sample: Longshore) -> None:
    worker = program("--grace", "1m", "--lease", "20")
    tasks.stubborn.submit(1.0)
    worker.until_effect("stubborn begin")
    assert worker.end() == 0
    assert "WARNING longshore.worker: waiting up to 60 s for 1 job\n" in worker.log


def test_the_version_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"longshore-worker {longshore.__version__}\n"
    assert longshore.__version__ == version("longshore")


def test_a_module_with_one_application_needs_no_name(program: Start, sample: Longshore) -> None:
    worker = program(application="sample")
    assert tasks.add.submit(1, 2).result(20) == 3
    assert worker.end() == 0


def test_a_worker_whose_key_is_refused_ends_with_1(
    program: Start, longshore_server: Server
) -> None:
    with Longshore(longshore_server.url) as admin:
        client = admin.session.clients.client()
        first = client.post("/v1/keys", json={"name": "ops", "scopes": ["admin"]}).json()["secret"]
        body = {"name": "app", "scopes": ["submit", "read"]}
        made = client.post("/v1/keys", json=body, headers={"authorization": f"Bearer {first}"})
    worker = program()
    assert worker.process.wait(30) == 1
    assert "401" in worker.log
    worker = program("--key", made.json()["secret"])
    assert worker.process.wait(30) == 1
    assert "scope" in worker.log
    assert "Traceback" not in worker.log


def test_options_name_the_server_and_the_queue(
    program: Start, sample: Longshore, longshore_server: Server, tmp_path: Path
) -> None:
    write(
        tmp_path,
        "from longshore import Longshore\n"
        "ls = Longshore('http://127.0.0.1:9')\n"
        "@ls.task\n"
        "def add(a, b): return a + b + 100\n",
    )
    worker = program(
        "--queue", "mail", "--url", longshore_server.url, application="shop:ls", cwd=tmp_path
    )
    other = tasks.add.submit(1, 2)
    assert tasks.add.options(queue="mail").submit(1, 2).result(20) == 103
    assert other.refresh().state == "queued"
    assert worker.end() == 0


def test_tasks_that_the_worker_has_no_place_for_are_named(
    program: Start, sample: Longshore
) -> None:
    worker = program("--processes", "0")
    eventually(lambda: "processes=0: this worker does not run" in worker.log, "it says so")
    assert "psleep" in worker.log


APPLICATION = """
from longshore import Longshore
from parts import version
ls = Longshore()

@ls.task
def add(a, b):
    return version
"""


def test_reload_starts_the_worker_again_when_a_file_changes(
    program: Start, sample: Longshore, tmp_path: Path
) -> None:
    write(tmp_path, APPLICATION)
    write(tmp_path, "version = 1", "parts.py")
    worker = program("--reload", application="shop:ls", cwd=tmp_path)
    assert tasks.add.submit(1, 2).result(20) == 1
    time.sleep(0.6)  # the watcher has to have seen the file
    write(tmp_path, "version = ", "parts.py")
    eventually(lambda: "SyntaxError" in worker.log, "the mistake is shown")
    time.sleep(0.6)
    write(tmp_path, "version = 22", "parts.py")
    assert tasks.add.submit(1, 2).result(20) == 22
    assert worker.end(signal.SIGINT) == 0
