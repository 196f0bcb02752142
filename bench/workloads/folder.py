"""A folder of 100,000 entries: the first page, and the whole as JSON."""

import json

from lib import load
from lib.bench import Bench
from lib.processes import Meter
from lib.tables import Sample, Table


def run(bench: Bench) -> list[Table]:
    entries = 2_000 if bench.quick else 100_000
    with bench.servers(bench.data.crowded(entries)) as servers:
        return [pages(bench, servers["lanthorn"], entries), whole(bench, servers, entries)]


def pages(bench: Bench, lanthorn, entries: int) -> Table:
    table = Table(f"A page of a folder of {entries:,}, warm", "ms", "first page at most 30 ms", less_is_better=True)
    client = lanthorn.client()
    wishes = {
        "first page by name": "",
        "last page by name": f"&offset={entries - 200}",
        "filtered by 'photo 0000'": "&filter=photo%200000",
        "first page by time": "&sort=modified&order=desc",
    }
    for wish in list(wishes.values()) * (1 if bench.quick else 5):
        client.good(f"{lanthorn.content}/list?path=many{wish}")
    for _ in range(20):
        for name, wish in wishes.items():
            answer = client.good(f"{lanthorn.content}/list?path=many{wish}")
            page = answer.json()
            if not page["entries"]:
                raise RuntimeError(f"the {name} is empty")
            table.row(name).add(answer.total_ms, KiB=len(answer.body) / 1024)
    client.close()
    return table


def whole(bench: Bench, servers: dict, entries: int) -> Table:
    table = Table(
        f"The whole folder of {entries:,} as JSON", "ms to the last byte",
        "at most nginx's autoindex; first byte at most 20 ms", less_is_better=True,
    )  # fmt: skip
    short: set[str] = set()
    memory = {name: server.processes[0].rss_bytes() for name, server in servers.items()}
    for turn in range(bench.rounds + 1):
        for name, server in servers.items():
            path, headers = server.listing("many")
            answer = bench.scratch / "listing"
            with Meter(server.processes[0]) as meter:
                got = load.curl(server.base() + path, {**server.headers(), **headers}, str(answer))
            if turn == 0:
                found = count(name, answer.read_bytes())
                if found != entries:
                    table.notes.append(f"{name} lists only {found:,} entries: left out.")
                    short.add(name)
            elif name not in short:
                table.row(name).add(
                    got.total_ms,
                    first_byte_ms=got.first_ms,
                    MiB=got.size / (1 << 20),
                    server_CPU_ms=1000 * meter.server_cpu,
                )
    for name, row in table.rows.items():
        grown = servers[name].processes[0].rss_bytes() - memory[name]
        row.extras["memory growth MiB"] = Sample([max(grown, 0) / (1 << 20)])
    table.notes.append("One listing before the counted ones warms every contestant. miniserve knows only HTML.")
    return table


def count(name: str, body: bytes) -> int:
    """How many entries are in an answer."""
    if name == "miniserve":
        return body.count(b'class="file"')
    answer = json.loads(body)
    return len(answer if isinstance(answer, list) else answer.get("entries") or answer.get("paths"))
