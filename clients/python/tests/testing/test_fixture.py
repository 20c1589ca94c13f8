"""The plugin for pytest."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

TESTS = """
    import httpx2
    import pytest

    urls = []

    def counts(server):
        urls.append(server.url)
        return len(httpx2.get(f"{server.url}/v1/jobs").json()["jobs"])

    @pytest.mark.parametrize("number", [1, 2])
    def test_each_test_has_a_server_of_its_own(longshore_server, number):
        assert counts(longshore_server) == 0
        job = {"kind": "echo", "payload": number}
        httpx2.post(f"{longshore_server.url}/v1/jobs", json=job).raise_for_status()
        assert counts(longshore_server) == 1

    async def answer(server):
        async with httpx2.AsyncClient() as client:
            return await client.get(f"{server.url}/v1/jobs")

    def test_it_serves_event_loops(longshore_server):
        import asyncio
        assert asyncio.run(answer(longshore_server)).status_code == 200

    class TestConfigured:
        @pytest.fixture
        def longshore_config(self):
            return "[jobs]\\nmax_attempts = 2"

        def test_the_configuration_is_overridden(self, longshore_server):
            job = {"kind": "echo", "payload": 1}
            answer = httpx2.post(f"{longshore_server.url}/v1/jobs", json=job)
            assert answer.json()["max_attempts"] == 2
"""


def test_the_fixture_yields_a_server(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    # pytest loads the plugin once, also where the entry point of the wheel names it.
    result = pytester.runpytest_subprocess("-p", "longshore.pytest_plugin")
    result.assert_outcomes(passed=4)


def test_a_failed_test_shows_the_log_of_the_server(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_failing(longshore_server):
            assert False

        def test_passing(longshore_server):
            pass
    """)
    result = pytester.runpytest_subprocess("-p", "longshore.pytest_plugin", "-rA")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*Log of the Longshore server*", "*serving*127.0.0.1*"])
    assert result.stdout.str().count("Log of the Longshore server") == 1


def test_the_server_is_gone_after_an_interrupt(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        from pathlib import Path

        def test_interrupted(longshore_server):
            Path("directory").write_text(f"{longshore_server.directory} {longshore_server.pid}")
            raise KeyboardInterrupt
    """)
    pytester.runpytest_subprocess("-p", "longshore.pytest_plugin")
    directory, pid = (pytester.path / "directory").read_text().split()
    assert not (pytester.path / directory).exists()
    assert not (pytester.path / "/proc" / pid).exists()


def test_servers_for_tests_need_no_pytest() -> None:
    code = "import sys, longshore.testing; sys.exit('pytest' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
