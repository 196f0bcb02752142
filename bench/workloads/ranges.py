"""Random 64 KiB ranges of one large file on 16 kept connections."""

import random

from lib import load
from lib.bench import Bench
from lib.http import Client
from lib.processes import Meter
from lib.tables import Table

LENGTH, CONNECTIONS = 64 << 10, 16


def run(bench: Bench) -> list[Table]:
    mebibytes = 64 if bench.quick else 1024
    root = bench.data.big(mebibytes)
    with bench.servers(root) as servers:
        return [measure(bench, servers, mebibytes << 20, tls) for tls in (False, True)]


def measure(bench: Bench, servers: dict, size: int, tls: bool) -> Table:
    title = f"Random 64 KiB ranges, {CONNECTIONS} connections, {'HTTPS' if tls else 'HTTP'}"
    table = Table(title, "requests/s", "at least 1.0 × miniserve, p99 at most 5 ms", less_is_better=False)
    for server in servers.values():
        check(server, bench.data.big(size >> 20) / "big.bin", size, tls)
    for _ in range(bench.rounds):
        for name, server in servers.items():
            once(bench, table, name, server, size, tls)
    return table


def once(bench: Bench, table: Table, name: str, server, size: int, tls: bool) -> None:
    arguments = ("ranges", server.file("big.bin"), str(size), str(LENGTH))
    with Meter(*server.processes) as meter:
        got = load.wrk(server.base(tls), server.headers(tls), CONNECTIONS, 1 if bench.quick else 4, *arguments)
    if not got.is_good(LENGTH, CONNECTIONS):
        table.notes.append(f"{name}: {got.errors} errors, {got.bytes_each:.0f} bytes an answer")
    table.row(name).add(
        got.per_second,
        p50_ms=got.p50_ms,
        p99_ms=got.p99_ms,
        server_CPU_µs_each=1e6 * meter.server_cpu / max(got.requests, 1),
        others_busy_percent=100 * meter.others,
    )


def check(server, file, size: int, tls: bool) -> None:
    """Ranges are the bytes that were asked for."""
    client = Client(server.base(tls), server.headers(tls))
    with open(file, "rb") as source:
        for _ in range(20):
            begin = random.randrange(size - LENGTH)
            answer = client.good(server.file("big.bin"), Range=f"bytes={begin}-{begin + LENGTH - 1}")
            source.seek(begin)
            if answer.status != 206 or answer.body != source.read(LENGTH):
                raise RuntimeError(f"{server.name} answered a range with something else")
    client.close()
