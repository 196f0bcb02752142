"""Fifty clients that ask for a large file, take a little, and stall: what each costs the server."""

import socket
import ssl
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

from lib.bench import Bench
from lib.tables import Table

STREAMS = 50


def run(bench: Bench) -> list[Table]:
    mebibytes = 64 if bench.quick else 1024
    root = bench.data.big(mebibytes)
    tables = []
    for tls in (False, True):
        title = f"Memory of {STREAMS} stalled streams over {'HTTPS' if tls else 'HTTP'}"
        table = Table(title, "KiB per stream", "at most 1 MiB per stream", less_is_better=True)
        for _ in range(min(bench.rounds, 3)):
            # Fresh servers each round: memory that was grown is seldom given back.
            with bench.servers(root) as servers:
                for name, server in servers.items():
                    stall(table, name, server, tls)
        table.notes.append("Growth of the process tree's resident memory; kernel socket buffers are not in it.")
        tables.append(table)
    return tables


def stall(table: Table, name: str, server, tls: bool) -> None:
    process = server.processes[-1 if tls else 0]
    before, threads = process.rss_bytes(), process.threads()
    with ExitStack() as stack:
        for _ in range(STREAMS):
            stack.enter_context(begin(server, tls))
        settled = settle(process)
        grown = (settled - before) / STREAMS / 1024
        table.row(name).add(max(grown, 0.0), more_threads=process.threads() - threads)


def begin(server, tls: bool) -> socket.socket:
    """A client that has seen the beginning of the answer and takes no more."""
    parts = urlsplit(server.base(tls))
    link = socket.create_connection((parts.hostname, parts.port))
    if tls:
        link = ssl._create_unverified_context().wrap_socket(link)
    headers = "".join(f"{name}: {value}\r\n" for name, value in server.headers(tls).items())
    link.sendall(f"GET {server.file('big.bin')} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode())
    got = link.recv(4096)
    if b" 200 " not in got.split(b"\r\n")[0]:
        raise RuntimeError(f"{server.name}: {got[:200]!r}")
    return link


def settle(process) -> int:
    """The resident memory once it stops to move."""
    last = -1
    for _ in range(100):
        now = process.rss_bytes()
        if now == last:
            break
        last = now
        time.sleep(0.3)
    return last
