"""What every request passes first: where it comes from, its size, how many there are; and what the page may load."""

import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)
"""The browser loads nothing from, and sends nothing to, another machine, whatever a script on the page wants."""

HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"permissions-policy", b"geolocation=(), microphone=(), camera=(self)"),
)
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
MINUTE = 60.0


class Guard:
    """ASGI middleware that refuses requests before anything reads them.

    Args:
        app: what answers the others.
        local: whether only this machine's own names are accepted as Host, which keeps other sites' pages out whose
            name was made to point here.
        most_bytes: of one request.
        per_minute: POST requests of one client.
        logins: attempts to log in of one client and minute.
        clock: seconds.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        local: bool,
        most_bytes: int,
        per_minute: int = 600,
        logins: int = 10,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._app, self._local, self._most_bytes, self._clock = app, local, most_bytes, clock
        self._limits = {"post": per_minute, "login": logins}
        self._seen: dict[tuple[str, str], deque[float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self.refusal(scope)
        if refusal is not None:
            await _answer(send, *refusal, scope["type"])
            return

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
            await send(message)

        await self._app(scope, receive, with_headers)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """The status and the words of a refusal; None if there is none."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if self._local and _name(host) not in LOCAL_NAMES:
            return 403, f"Host {host!r}: expected this machine's own name, such as localhost"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, f"Origin {origin!r}: expected the page of this address, {host}"
        if scope.get("method") != "POST":
            return None
        length = headers.get("content-length", "")
        if not length.isdigit():
            return 411, "expected a Content-Length"
        if int(length) > self._most_bytes:
            return 413, f"{int(length)} bytes: expected at most {self._most_bytes}"
        client = str((scope.get("client") or ("",))[0])
        kinds = ["post", *(["login"] if scope["path"].rstrip("/").endswith("/login") else [])]
        if any(self._too_often(client, kind) for kind in kinds):
            return 429, "too many requests; wait a minute"
        return None

    def _too_often(self, client: str, kind: str) -> bool:
        """Count a request; whether the client had its share of this minute already."""
        now = self._clock()
        for key in [key for key, times in self._seen.items() if not times or now - times[-1] > MINUTE]:
            del self._seen[key]
        times = self._seen.setdefault((client, kind), deque(maxlen=self._limits[kind]))
        if len(times) == times.maxlen and now - times[0] < MINUTE:
            return True
        times.append(now)
        return False


def _name(host: str) -> str:
    """A Host header without the port and the brackets of IPv6."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def _answer(send: Send, status: int, words: str, kind: str) -> None:
    if kind == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": words})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": words.encode()})
