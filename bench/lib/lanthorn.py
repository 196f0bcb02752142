"""Lanthorn under measurement: started with an empty state, set up and signed in through its real API."""

import time
from pathlib import Path
from urllib.parse import quote

from .http import Client
from .processes import Process, free_port

PIN = "482915"


class Lanthorn:
    name = "lanthorn"
    measures_tls = True

    def __init__(self, binary: Path, home: Path, port: int | None = None, flags: tuple[str, ...] = ()):
        self.home, self.port, self.flags = home, port or free_port(), flags
        self.binary = binary
        self.cookies: dict[bool, str] = {}
        self.process = self._spawn()
        self.processes = (self.process,)
        self.content = ""

    def _spawn(self) -> Process:
        places = {name: str(self.home / name) for name in ("settings", "state", "cache")}
        env = {"HOME": str(self.home), "DISPLAY": "", "WAYLAND_DISPLAY": ""}
        command = [
            str(self.binary), "up", "--no-browser", "--host", "127.0.0.1", "--port", str(self.port),
            "--settings-dir", places["settings"], "--state-dir", places["state"], "--cache-dir", places["cache"],
            *self.flags,
        ]  # fmt: skip
        return Process(command, self.home / "log", env)

    def base(self, tls: bool = False) -> str:
        return f"http{'s' if tls else ''}://127.0.0.1:{self.port}"

    def wait(self, tries: int = 20_000) -> float:
        """Asks until it answers; gives the moment of the first answer."""
        for _ in range(tries):
            if not self.process.is_running():
                break
            try:
                client = Client(self.base(), timeout=10)
                client.good("/api/v1/status")
                client.close()
                return time.perf_counter()
            except OSError:
                time.sleep(0.0005)
        raise RuntimeError(f"lanthorn does not answer:\n{self.process.log.read_text()[-2000:]}")

    def own_page(self, tls: bool = False) -> dict[str, str]:
        """The headers of a request from the page itself."""
        return {"X-Lanthorn": "1", "Origin": self.base(tls)}

    def set_up(self, folder: Path) -> None:
        """Does the setup from this machine, and signs in over HTTP and HTTPS."""
        self.wait()
        client = Client(self.base())
        wish = {"folder": str(folder), "device_name": "bench", "pin": PIN}
        answer = client.good("/api/v1/setup", method="POST", body=wish, **self.own_page())
        self.set_up_at = time.perf_counter()
        self.cookies[False] = cookie(answer)
        client.close()
        private = Client(self.base(True))
        answer = private.good("/api/v1/auth/login", method="POST", body={"pin": PIN}, **self.own_page(True))
        self.cookies[True] = cookie(answer)
        private.close()
        self._find_share()

    def _find_share(self) -> None:
        client = self.client()
        share = client.good("/api/v1/catalog/shares").json()["shares"][0]
        client.close()
        self.content = f"/api/v1/devices/{share['device_id']}/shares/{share['id']}"

    def restart(self) -> None:
        """Ends the process and starts it again with the same state."""
        self.process.stop()
        self.process = self._spawn()
        self.processes = (self.process,)

    def client(self, tls: bool = False) -> Client:
        return Client(self.base(tls), self.headers(tls))

    def headers(self, tls: bool = False) -> dict[str, str]:
        return {"Cookie": self.cookies[tls]}

    def file(self, path: str) -> str:
        """The address of a file's content. `{n}` stays as it is, for the load tool to fill in."""
        return f"{self.content}/stream?path={quote(path, safe='/{}')}"

    def listing(self, path: str) -> tuple[str, dict[str, str]]:
        return f"{self.content}/list?path={quote(path)}&limit=all", {}

    def stop(self) -> None:
        self.process.stop()


def cookie(answer) -> str:
    """The session cookie (and only that) from an answer."""
    pairs = [value.split(";")[0] for value in answer.headers.get_all("Set-Cookie") or []]
    return "; ".join(pair for pair in pairs if not pair.partition("=")[0].endswith("-browser"))
