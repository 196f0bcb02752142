"""The outside load tools: curl for one stream, wrk for many requests."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import tools

HERE = Path(__file__).resolve().parent


@dataclass
class Fetched:
    status: int
    size: int
    first_ms: float
    total_ms: float


def curl(url: str, headers: dict[str, str], to: str = "/dev/null", http2: bool = False) -> Fetched:
    """Fetches one address on a new connection."""
    command = [tools.need("curl"), "-sk", "--http2" if http2 else "--http1.1", "-o", to]
    command += ["-w", "%{http_code} %{size_download} %{time_pretransfer} %{time_starttransfer} %{time_total}"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    answer = subprocess.run([*command, url], capture_output=True, text=True, check=True)
    status, size, ready, first, total = answer.stdout.split()
    ms = [1000 * (float(moment) - float(ready)) for moment in (first, total)]
    return Fetched(int(status), int(size), *ms)


@dataclass
class Load:
    requests: int
    per_second: float
    bytes_each: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    errors: int

    def is_good(self, length: int, connections: int) -> bool:
        """True if every answer was of this length, its head and what was under way at the end apart."""
        slack = 2000 + connections * length / max(self.requests, 1)
        return self.errors == 0 and length <= self.bytes_each <= length + slack


def wrk(base: str, headers: dict[str, str], connections: int, seconds: float, *arguments: str) -> Load:
    """Loads a server with what `load.lua` makes of the arguments."""
    command = [tools.need("wrk"), "-t", "1", "-c", str(connections), "-d", f"{seconds:g}s", "--timeout", "10s"]
    command += ["-s", str(HERE / "load.lua")]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    answer = subprocess.run([*command, base, "--", *arguments], capture_output=True, text=True, check=True)
    found = re.search(r"^RESULT (.*)$", answer.stdout, re.MULTILINE)
    if not found:
        raise RuntimeError(answer.stdout + answer.stderr)
    result = {key: float(value) for key, value in (pair.split("=") for pair in found.group(1).split())}
    return Load(
        requests=int(result["requests"]),
        per_second=result["requests"] / result["seconds"],
        bytes_each=result["bytes"] / max(result["requests"], 1),
        p50_ms=result["p50"] / 1000,
        p99_ms=result["p99"] / 1000,
        max_ms=result["max"] / 1000,
        errors=int(result["errors"]),
    )
