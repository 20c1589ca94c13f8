"""Values to JSON and back, by annotations."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict
from uuid import UUID

import msgspec
import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, computed_field, field_serializer
from pydantic.dataclasses import dataclass as pydantic_dataclass

from longshore import ChatAnswer, Codec, HttpAnswer
from longshore.codec import dumps, loads


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int
    y: float


class Row(TypedDict):
    id: int
    names: list[str]


class Record(msgspec.Struct):
    id: int
    note: str | None = None


class Address(BaseModel):
    street: str
    zip_code: str = Field(alias="zipCode")


@dataclass
class Order:
    id: UUID
    total: Decimal
    due: datetime
    color: Color
    address: Address
    points: list[Point] = field(default_factory=list)
    parent: Optional["Order"] = None


@pydantic_dataclass
class Small:
    n: int


ORDER = Order(
    id=UUID("12345678-1234-5678-1234-567812345678"),
    total=Decimal("10.50"),
    due=datetime(2030, 1, 31, 12, 0, tzinfo=timezone.utc),
    color=Color.RED,
    address=Address(street="Main", zipCode="1234"),
    points=[Point(1, 2.5)],
)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (ORDER, Order),
        ([ORDER], list[Order]),
        ({"a": ORDER.address}, dict[str, Address]),
        (ORDER.address, Address | None),
        (None, Address | None),
        (Point(1, 2.0), Point),
        ({"id": 1, "names": ["a"]}, Row),
        (Record(1, "x"), Record),
        (Small(3), Small),
        (datetime(2030, 1, 1, 12), datetime),  # noqa: DTZ001
        (date(2030, 1, 1), date),
        (time(12, 30), time),
        (timedelta(days=1, seconds=1.5), timedelta),
        (Decimal("1.10"), Decimal),
        (Color.BLUE, Color),
        (Level.LOW, Level),
        (b"\x00\xff", bytes),
        ({1, 2}, set[int]),
        (frozenset({"a"}), frozenset[str]),
        ((1, "a", None), tuple[int, str, None]),
        ((1, 2, 3), tuple[int, ...]),
        (Path("/tmp/a"), Path),
        (PurePosixPath("a/b"), PurePosixPath),
        ({1: "a"}, dict[int, str]),
        ({date(2030, 1, 1): 1}, dict[date, int]),
        ("b", Literal["a", "b"]),
        (3, Annotated[int, msgspec.Meta(ge=1)]),
        ([1, 2], Sequence[int]),
        ({"a": 1}, Mapping[str, int]),
        (10**30, int),
        ("caf\u00e9 \U0001f600", str),
        ({"any": [1, 2.5, None, True, "x"]}, Any),
        ({"any": [1]}, dict),
    ],
)
def test_a_value_returns_as_it_was(value: Any, annotation: Any) -> None:
    codec = Codec()
    text = dumps(codec.encode(value))
    back = codec.decode(loads(text), annotation)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "Out of range float"),
        ([1, float("inf")], "Out of range float"),
        (object(), "values of the type object cannot be encoded"),
        ({"a": {1j}}, "complex"),
        ({(1, 2): 3}, "keys"),
        ("\ud800", "surrogates not allowed"),
        (lambda: None, "function"),
    ],
)
def test_a_value_without_a_json_form_is_refused(value: Any, why: str) -> None:
    with pytest.raises(TypeError, match=f"(?s)has no JSON form: .*{why}"):
        Codec().encode(value)


def test_a_value_that_refers_to_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(TypeError, match="no JSON form"):
        Codec().encode(endless)


@pytest.mark.parametrize(
    ("value", "annotation", "why"),
    [
        ("5", int, "Expected `int`, got `str`"),
        (None, str, "Expected `str`, got `null`"),
        ({"id": 1}, Row, "missing required field `names`"),
        ({"street": 1}, Address, "zipCode"),
        ({"a": [{"street": "x"}]}, dict[str, list[Address]], "zipCode"),
        (7, Path, "expected the text of a path"),
        ("green", Color, "Invalid enum value"),
        ("%", bytes, "Invalid base64"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(value: Any, annotation: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Codec().decode(value, annotation)


def test_a_type_that_cannot_be_decoded_is_named() -> None:
    class Plain: ...

    with pytest.raises(ValueError, match=r"Plain.* cannot be decoded: use a dataclass"):
        Codec().decode({}, Plain)
    with pytest.raises(TypeError, match="unions"):
        Codec().decode({}, Order | Small)


def test_an_application_adds_types() -> None:
    @dataclass(frozen=True)
    class Wrapped:
        value: complex

    codec = Codec(
        encoders={complex: lambda number: [number.real, number.imag]},
        decoders={complex: lambda pair: complex(*pair)},
    )
    encoded = codec.encode({"a": 1 + 2j, "b": Wrapped(3j)})
    assert encoded == {"a": [1.0, 2.0], "b": {"value": [0.0, 3.0]}}
    assert codec.decode(encoded["a"], complex) == 1 + 2j
    assert codec.decode(encoded["b"], Wrapped) == Wrapped(3j)


class Area(BaseModel):
    model_config = ConfigDict(extra="forbid")

    width: int
    height: int = Field(serialization_alias="h")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def size(self) -> int:
        return self.width * self.height


def test_a_model_is_written_so_that_it_can_be_read_again() -> None:
    area = Area(width=2, height=3)
    encoded = Codec().encode([area])
    assert encoded == [{"width": 2, "height": 3}]
    assert Codec().decode(encoded, list[Area]) == [area]


class Login(BaseModel):
    name: str
    password: SecretStr


class Logins(BaseModel):
    logins: list[Login]


class Sent(BaseModel):
    password: SecretStr

    @field_serializer("password", when_used="json")
    def _text(self, value: SecretStr) -> str:
        return value.get_secret_value()


def test_a_secret_of_a_model_is_not_replaced_by_stars() -> None:
    logins = Logins(logins=[Login(name="me", password=SecretStr("hidden"))])
    with pytest.raises(TypeError, match=r"Logins.logins\[0\].password is a secret") as raised:
        Codec().encode(logins)
    assert "hidden" not in str(raised.value)
    sent = Sent(password=SecretStr("sent"))
    assert Codec().decode(Codec().encode(sent), Sent) == sent


def test_answers_of_servers_are_written_as_the_results_of_their_jobs() -> None:
    chat = ChatAnswer({"choices": [{"message": {"content": "hello"}}]})
    assert Codec().encode([chat]) == [chat.raw]
    assert Codec().decode([chat.raw], list[ChatAnswer]) == [chat]
    for body in ({"a": 1}, "text", b"bytes", None):
        http = HttpAnswer(200, {"x": "y"}, body, is_truncated=body is None)
        encoded = Codec().encode(http)
        assert encoded["status"] == 200
        assert Codec().decode(encoded, HttpAnswer) == http
    for kind in (ChatAnswer, HttpAnswer):
        with pytest.raises(ValueError, match="answer"):
            Codec().decode(7, kind)


def test_half_a_surrogate_pair_is_written_with_escapes() -> None:
    assert dumps("\ud800é") == b'"\\ud800\\u00e9"'
    assert dumps("é") == '"é"'.encode()
