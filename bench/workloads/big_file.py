"""One large file, whole, on one connection, over HTTP and HTTPS."""

import hashlib
import subprocess

from lib import load, tools
from lib.bench import Bench
from lib.processes import Meter
from lib.tables import Table

GOALS = {
    False: "at least 1.5 × dufs and miniserve, aiming at 0.9 × nginx",
    True: "faster than every one of them",
}


def run(bench: Bench) -> list[Table]:
    mebibytes = 64 if bench.quick else 1024
    root = bench.data.big(mebibytes)
    with bench.servers(root) as servers:
        plain = measure(bench, servers, mebibytes, tls=False)
        private = measure(bench, servers, mebibytes, tls=True)
        faster = {name: servers[name] for name in ("lanthorn", "caddy") if name in servers}
        second = measure(bench, faster, mebibytes, tls=True, http2=True)
    return [plain, private, second]


def measure(bench: Bench, servers: dict, mebibytes: int, *, tls: bool, http2: bool = False) -> Table:
    scheme = ("HTTPS, HTTP/2" if http2 else "HTTPS, HTTP/1.1") if tls else "HTTP"
    goal = "none; what a browser uses" if http2 else GOALS[tls]
    table = Table(f"{mebibytes} MiB file over {scheme}", "MiB/s", goal, less_is_better=False)
    for name, server in servers.items():
        check(server, bench.data.big(mebibytes) / "big.bin", tls)
    for _ in range(bench.rounds):
        for name, server in servers.items():
            once(table, name, server, mebibytes, tls, http2)
    table.notes.append("Client: curl to /dev/null; its CPU is that of curl and the harness.")
    return table


def once(table: Table, name: str, server, mebibytes: int, tls: bool, http2: bool) -> None:
    with Meter(*server.processes) as meter:
        got = load.curl(server.base(tls) + server.file("big.bin"), server.headers(tls), http2=http2)
    if (got.status, got.size) != (200, mebibytes << 20):
        raise RuntimeError(f"{name}: status {got.status}, {got.size} bytes")
    gib = mebibytes / 1024
    table.row(name).add(
        mebibytes * 1000 / got.total_ms,
        server_CPU_s_per_GiB=meter.server_cpu / gib,
        client_CPU_s_per_GiB=meter.client_cpu / gib,
        others_busy_percent=100 * meter.others,
    )


def check(server, file, tls: bool) -> None:
    """What arrives is the file, byte for byte."""
    command = [tools.need("curl"), "-sk"]
    for header in server.headers(tls).items():
        command += ["-H", ": ".join(header)]
    curl = subprocess.Popen([*command, server.base(tls) + server.file("big.bin")], stdout=subprocess.PIPE)
    got = hashlib.file_digest(curl.stdout, "sha256").hexdigest()
    curl.wait()
    with open(file, "rb") as source:
        if got != hashlib.file_digest(source, "sha256").hexdigest():
            raise RuntimeError(f"{server.name} sent something else than the file")
