"""The options of the decorator."""

from typing import Any

import pytest

from longshore import Longshore


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"retry": 3},
            TypeError,
            r"a task has no option retry=: did you mean retry_on= or retries=\?",
        ),
        ({"time_out": 3}, TypeError, r"a task has no option time_out=: did you mean timeout=\?"),
        ({"xyz": 3}, TypeError, "a task has no option xyz=: there are name, queue, retries"),
        ({"retries": -1}, ValueError, "retries=-1: must be at least 0"),
        ({"retries": "3"}, TypeError, "retries='3': must be a whole number"),
        ({"timeout": "5 minutes"}, ValueError, "timeout='5 minutes': .* is not a duration"),
        ({"timeout": -1}, ValueError, "timeout=-1: a duration must be"),
    ],
)
def test_a_wrong_option_is_named_at_the_decoration(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Longshore().task(**options)
