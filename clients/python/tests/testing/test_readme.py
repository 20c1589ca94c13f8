"""The page of the package shows code that runs."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

README = Path(__file__).parents[2] / "README.md"


def blocks() -> list[str]:
    """Return the Python code of the page, block by block."""
    return [part.split("```")[0] for part in README.read_text().split("```python\n")[1:]]


def test_the_application_is_the_example() -> None:
    example = README.parent / "examples/app.py"
    assert blocks()[0].strip() in example.read_text()


def test_the_tests_of_the_page_pass(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(blocks()[1])
    pytester.runpytest_subprocess("-p", "longshore.pytest_plugin").assert_outcomes(passed=2)
