"""What is in the wheel."""

import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"


def test_the_wheel_has_every_module_and_nothing_else(names: list[str]) -> None:
    files = (path for path in (SOURCE / "longshore").rglob("*") if path.is_file())
    modules = {str(path.relative_to(SOURCE)) for path in files if path.suffix != ".pyc"}
    assert {name for name in names if name.startswith("longshore/")} == modules
    others = {name.split("/")[0] for name in names if not name.startswith("longshore/")}
    assert {other.rpartition(".")[2] for other in others} == {"data", "dist-info"}


def test_the_wheel_is_typed(names: list[str]) -> None:
    assert "longshore/py.typed" in names


def test_the_wheel_has_two_commands(names: list[str]) -> None:
    commands = {Path(name).name for name in names if re.search(r"\.data/scripts/", name)}
    assert commands == {"longshore", "longshore-worker"}


def test_the_wheel_has_the_licenses(names: list[str]) -> None:
    licenses = {Path(name).name for name in names if "/licenses/" in name}
    assert licenses == {"LICENSE-APACHE", "LICENSE-MIT"}


def test_any_python_with_glibc_2_28_can_install_the_wheel(wheel: Path) -> None:
    assert re.fullmatch(r"longshore-[0-9.]+-py3-none-manylinux_2_28_x86_64", wheel.stem)


def test_the_wheel_is_small(wheel: Path) -> None:
    # With its symbols, the binary of the dev profile would make it three times as large.
    assert wheel.stat().st_size < 20_000_000
