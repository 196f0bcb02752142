"""A small HTTP client for asking, checking and timing over one kept connection."""

import http.client
import json
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    first_ms: float
    total_ms: float

    def json(self):
        return json.loads(self.body)


class Client:
    """One connection to one server."""

    def __init__(self, base: str, headers: dict[str, str] | None = None, timeout: float = 120):
        parts = urlsplit(base)
        self.headers = headers or {}
        if parts.scheme == "https":
            self.link = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout, context=ssl._create_unverified_context()
            )
        else:
            self.link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)

    def ask(self, path: str, method: str = "GET", body: object = None, **headers: str) -> Answer:
        all_headers = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        content = None
        if body is not None:
            content, all_headers["Content-Type"] = json.dumps(body), "application/json"
        begun = time.perf_counter()
        self.link.request(method, path, body=content, headers=all_headers)
        answer = self.link.getresponse()
        first = time.perf_counter()
        data = answer.read()
        ended = time.perf_counter()
        return Answer(answer.status, answer.headers, data, (first - begun) * 1000, (ended - begun) * 1000)

    def good(self, path: str, **more) -> Answer:
        answer = self.ask(path, **more)
        if answer.status not in (200, 201, 204, 206):
            raise RuntimeError(f"{path}: {answer.status} {answer.body[:300]!r}")
        return answer

    def close(self) -> None:
        self.link.close()
