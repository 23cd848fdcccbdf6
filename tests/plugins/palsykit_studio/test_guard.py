"""What the guard refuses before anything reads the request, and what it tells the browser."""

import asyncio
from typing import Any

import pytest

from palsykit_studio.guard import Guard


async def answering(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": b"page"})


def request(method: str = "GET", path: str = "/en/", client: str = "1.2.3.4", **headers: str) -> dict[str, Any]:
    named = {"host": "127.0.0.1:7860", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {
        "type": "http", "method": method, "path": path, "client": (client, 5),
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }  # fmt: skip


def guard(**options: Any) -> Guard:
    return Guard(answering, **{"local": True, "most_bytes": 1000, **options})


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "[::1]:7860", "localhost"])
def test_this_machines_names_are_answered(host: str) -> None:
    assert guard().refusal(request(host=host)) is None


@pytest.mark.parametrize("host", ["evil.example:7860", "127.0.0.1.evil.example", "", "[::1", "localhost.evil.example"])
def test_another_name_that_points_here_is_refused(host: str) -> None:
    refusal = guard().refusal(request(host=host))
    assert refusal is not None
    assert refusal[0] == 403


def test_a_host_that_others_reach_has_any_name() -> None:
    assert guard(local=False).refusal(request(host="clinic.example")) is None


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        ("http://127.0.0.1:7860", True),
        ("http://127.0.0.1:9999", False),
        ("https://evil.example", False),
        ("null", False),
    ],
)
def test_only_the_page_itself_may_ask(origin: str, accepted: bool) -> None:
    assert (guard().refusal(request(origin=origin)) is None) == accepted


@pytest.mark.parametrize(("length", "status"), [("1000", None), ("1001", 413), ("-1", 411), ("", 411)])
def test_a_request_has_a_size_and_is_not_too_large(length: str, status: int | None) -> None:
    refusal = guard().refusal(request("POST", content_length=length))
    assert (refusal and refusal[0]) == status


def test_a_client_has_a_share_of_each_minute() -> None:
    now = [0.0]
    limited = guard(per_minute=3, logins=2, clock=lambda: now[0])
    login = request("POST", "/en/login", content_length="5")
    assert [limited.refusal(login) is None for _ in range(3)] == [True, True, False]
    assert limited.refusal(request("POST", "/en/login", client="5.6.7.8", content_length="5")) is None
    now[0] = 61.0
    assert limited.refusal(login) is None
    other = request("POST", "/en/queue", content_length="5")
    assert [limited.refusal(other) is None for _ in range(3)] == [True, True, False]


def test_the_share_of_clients_that_are_gone_is_forgotten() -> None:
    now = [0.0]
    limited = guard(clock=lambda: now[0])
    for number in range(50):
        limited.refusal(request("POST", client=str(number), content_length="5"))
    now[0] = 100.0
    limited.refusal(request("POST", content_length="5"))
    assert len(limited._seen) == 1


def answers(app: Guard, scope: dict[str, Any]) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("a refused request is not read")

    asyncio.run(app(scope, receive, send))
    return sent


def test_a_refusal_is_an_answer_with_its_reason() -> None:
    sent = answers(guard(), request(origin="https://evil.example"))
    assert sent[0]["status"] == 403
    assert b"evil.example" in sent[1]["body"]


def test_the_browser_is_told_to_ask_no_other_machine() -> None:
    sent = answers(guard(), request())
    headers = dict(sent[0]["headers"])
    assert headers[b"x-own"] == b"1"
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'self'" in policy
    assert "http:" not in policy
    assert "https:" not in policy
    assert "*" not in policy
