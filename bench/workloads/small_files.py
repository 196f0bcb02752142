"""Files of 10 KiB, picked at random, on 64 kept connections."""

from lib import load
from lib.bench import Bench
from lib.data import SMALL_BYTES, SMALL_FILES
from lib.http import Client
from lib.processes import Meter
from lib.tables import Table

CONNECTIONS = 64


def run(bench: Bench) -> list[Table]:
    with bench.servers(bench.data.small) as servers:
        return [measure(bench, servers, tls) for tls in (False, True)]


def measure(bench: Bench, servers: dict, tls: bool) -> Table:
    title = f"10 KiB files, {CONNECTIONS} connections, {'HTTPS' if tls else 'HTTP'}"
    table = Table(title, "requests/s", "at least 1.0 × caddy, aiming at 2 ×; no 40 ms steps", less_is_better=False)
    for server in servers.values():
        check(bench, server, tls)
    for _ in range(bench.rounds):
        for name, server in servers.items():
            once(bench, table, name, server, tls)
    return table


def once(bench: Bench, table: Table, name: str, server, tls: bool) -> None:
    arguments = ("files", server.file("f{n}.bin"), str(SMALL_FILES))
    with Meter(*server.processes) as meter:
        got = load.wrk(server.base(tls), server.headers(tls), CONNECTIONS, 1 if bench.quick else 4, *arguments)
    if not got.is_good(SMALL_BYTES, CONNECTIONS):
        table.notes.append(f"{name}: {got.errors} errors, {got.bytes_each:.0f} bytes an answer")
    table.row(name).add(
        got.per_second,
        p50_ms=got.p50_ms,
        p99_ms=got.p99_ms,
        server_CPU_µs_each=1e6 * meter.server_cpu / max(got.requests, 1),
        others_busy_percent=100 * meter.others,
    )


def check(bench: Bench, server, tls: bool) -> None:
    client = Client(server.base(tls), server.headers(tls))
    for number in range(0, SMALL_FILES, 997):
        name = f"f{number:05d}.bin"
        if client.good(server.file(name)).body != (bench.data.small / name).read_bytes():
            raise RuntimeError(f"{server.name} sent something else than {name}")
    client.close()
