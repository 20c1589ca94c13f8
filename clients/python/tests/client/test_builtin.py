"""The kinds that the server runs by itself: `chat`, `http` and `command`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from pydantic import BaseModel, Field

from client.service import Service, run_service
from longshore import BadResult, ChatAnswer, HttpAnswer, JobFailed, Longshore, Refused
from longshore.testing import server


@pytest.fixture
def service() -> Iterator[Service]:
    """A server that jobs call."""
    with run_service() as service:
        yield service


@pytest.fixture
def ls(service: Service) -> Iterator[Longshore]:
    """A client of a server that knows the service as a provider, and a command."""
    config = f"""
        [outbound]
        allow_networks = ["127.0.0.0/8"]
        [providers.mock]
        base_url = "{service.url}/v1"
        [commands.wordcount]
        argv = ["/usr/bin/wc", "-w"]
        [commands.say]
        argv = ["/bin/echo"]
    """
    with server(config) as running:
        yield running.client


class Joke(BaseModel):
    setup: str
    punchline: str = Field(description="The end of the joke.")
    tags: list[str] = []


@dataclass
class Person:
    name: str
    age: int


@dataclass
class Pair:
    left: Person
    right: Person | None = None


def asked(service: Service) -> Any:
    """Returns the body of the latest call."""
    return json.loads(service.requests[-1]["body"])


def test_a_prompt_is_answered_with_its_text(ls: Longshore, service: Service) -> None:
    service.say("Why did the chicken?")
    job = ls.chat.submit("Tell me a joke", model="mock", temperature=0.5)
    answer = job.result()
    assert isinstance(answer, ChatAnswer)
    assert (answer.text, str(answer)) == ("Why did the chicken?", "Why did the chicken?")
    assert (answer.usage["total_tokens"], answer.finish_reason) == (7, "stop")
    assert asked(service) == {
        "model": "mock",
        "messages": [{"role": "user", "content": "Tell me a joke"}],
        "temperature": 0.5,
    }
    completion = answer.completion()
    assert isinstance(completion, ChatCompletion)
    assert completion.choices[0].message.content == answer.text
    again = ls.job(job.id).result()
    assert again == answer


def test_messages_of_the_openai_library_are_sent(ls: Longshore, service: Service) -> None:
    service.say("hello")
    first = ls.chat.submit("hi", model="mock").result().completion().choices[0].message
    messages = [{"role": "user", "content": "hi"}, first, {"role": "user", "content": "more"}]
    ls.chat.submit(messages, model="mock", provider="mock").result()
    assert asked(service)["messages"][1] == {"role": "assistant", "content": "hello"}


def test_a_pydantic_model_is_filled_from_the_answer(ls: Longshore, service: Service) -> None:
    service.say('{"setup": "Knock", "punchline": "Who", "tags": []}')
    joke = ls.chat.submit("A joke", model="mock", parse=Joke).result()
    assert joke == Joke(setup="Knock", punchline="Who")
    described = asked(service)["response_format"]["json_schema"]
    assert (described["name"], described["strict"]) == ("Joke", True)
    schema = described["schema"]
    assert schema["required"] == ["setup", "punchline", "tags"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["punchline"]["description"] == "The end of the joke."


async def test_a_dataclass_is_filled_from_the_answer(ls: Longshore, service: Service) -> None:
    service.say('```json\n{"left": {"name": "Ann", "age": 30}, "right": null}\n```')
    job = await ls.chat.asubmit("A pair", model="mock", parse=Pair)
    assert await job == Pair(Person("Ann", 30))
    schema = asked(service)["response_format"]["json_schema"]["schema"]
    assert (schema["type"], schema["required"]) == ("object", ["left", "right"])
    assert schema["$defs"]["Person"]["additionalProperties"] is False


def test_an_answer_that_does_not_fit_the_type_is_an_error(ls: Longshore, service: Service) -> None:
    service.say("I cannot do that")
    job = ls.chat.submit("A joke", model="mock", parse=Joke)
    with pytest.raises(BadResult, match=r"not a Joke: .*I cannot do that"):
        job.result()
    with pytest.raises(BadResult, match="not a Person"):
        ChatAnswer({"choices": [{"message": {"content": '{"name": 7}'}}]}).parse(Person)


def test_prompts_are_a_batch(ls: Longshore, service: Service) -> None:
    service.say("fine")
    batch = ls.batch(ls.chat.s(f"Prompt {n}", model="mock") for n in range(10))
    assert [answer.text for answer in batch.results()] == ["fine"] * 10
    prompts = {
        json.loads(request["body"])["messages"][0]["content"] for request in service.requests
    }
    assert prompts == {f"Prompt {n}" for n in range(10)}


def test_a_failed_call_has_the_response(ls: Longshore, service: Service) -> None:
    service.status, service.answer = 400, {"error": {"message": "too long", "code": "length"}}
    job = ls.chat.submit("Long", model="mock")
    with pytest.raises(JobFailed, match="too long") as failed:
        job.result()
    assert failed.value.code == "http_status"
    assert failed.value.response is not None
    assert failed.value.response["status"] == 400


def test_another_server_is_called(ls: Longshore, service: Service) -> None:
    service.answer = {"ok": True}
    job = ls.http.submit("POST", f"{service.url}/hook", json={"id": 7}, headers={"x-a": "1"})
    answer = job.result()
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.body, answer.is_truncated) == (200, {"ok": True}, False)
    assert answer.headers["content-type"] == "application/json"
    assert service.requests[-1]["headers"]["x-a"] == "1"
    assert asked(service) == {"id": 7}


def test_bodies_are_json_text_or_bytes(ls: Longshore, service: Service) -> None:
    service.answer = b"\xff\x00"
    for json_value, content, body in [
        ("text", None, b'"text"'),
        (None, "text", b"text"),
        (None, b"\xff\x01", b"\xff\x01"),
        ([1, None], None, b"[1,null]"),
        (None, None, b""),
    ]:
        job = ls.http.submit("POST", f"{service.url}/", json=json_value, content=content)
        assert job.result().body == b"\xff\x00"
        assert service.requests[-1]["body"] == body


async def test_a_provider_lends_its_address(ls: Longshore, service: Service) -> None:
    job = await ls.http.asubmit("PUT", provider="mock", path="/embeddings", json={"input": "a"})
    assert (await job).status == 200
    assert service.requests[-1]["path"] == "/v1/embeddings"


def test_wrong_calls_raise_before_anything_is_sent(ls: Longshore) -> None:
    with pytest.raises(TypeError, match="either a url, or a provider"):
        ls.http.submit("GET")
    with pytest.raises(TypeError, match="either json or content"):
        ls.http.submit("POST", "http://a.example", json=1, content="a")
    with pytest.raises(TypeError, match="http: the argument 'json'"):
        ls.http.submit("POST", "http://a.example", json=object())
    with pytest.raises(TypeError, match="chat: the argument 'stop'"):
        ls.chat.submit("hi", model="mock", stop=object())
    with pytest.raises(TypeError, match="must be a list"):
        ls.command.submit("say", args="hello")
    with pytest.raises(Refused, match="/payload/stream"):
        ls.chat.submit("hi", model="mock", stream=True)


def test_programs_are_run(ls: Longshore) -> None:
    assert ls.command.submit("wordcount", stdin="how many words").result() == 3
    assert ls.command.options(queue="bulk").submit("say", ["a", "b c"]).result() == "a b c\n"


def test_a_call_follows_a_task(ls: Longshore, service: Service) -> None:
    hook = ls.http.s("POST", f"{service.url}/done", json={"$from": "job"})
    job = ls.command.options(then=hook).submit("wordcount", stdin="a b")
    then = job.wait().then
    assert then is not None
    assert then.result().status == 200
    assert asked(service) == 2


def test_the_queue_of_the_application_holds_for_all_kinds(ls: Longshore) -> None:
    with Longshore(ls.url, queue="shop.mail") as shop:
        assert shop.command.submit("wordcount").queue == "shop.mail"
    assert ls.command.submit("wordcount").queue == "default"
