"""One search over twenty machines of 50,000 files each: real processes on loopback, paired with one coordinator."""

import json
import time
from contextlib import ExitStack
from urllib.parse import quote

from lib.bench import Bench
from lib.data import COMMON, HUNDREDS, RARE
from lib.fleet import pair, start, wait_for_all
from lib.http import Client
from lib.tables import Table

from .index import wait_for_index

QUERIES = {"A rare name": RARE, "Hundreds of hits": HUNDREDS, "Thousands of hits": COMMON}


def run(bench: Bench) -> list[Table]:
    devices, thousands = (3, 1) if bench.quick else (20, 50)
    root = bench.data.tree(thousands)
    with ExitStack() as stack:
        coordinator = start(bench, stack, bench.fresh("empty"))
        machines = [start(bench, stack, root) for _ in range(devices)]
        for machine in machines:
            wait_for_index(machine)
            pair(bench, machine, coordinator)
        client = coordinator.client()
        stack.callback(client.close)
        wait_for_all(client, devices)
        cpu = [machine.process.cpu_seconds for machine in (coordinator, *machines)]
        tables = [measure(bench, client, devices, thousands, cpu, *query) for query in QUERIES.items()]
    return tables


def measure(bench: Bench, client: Client, devices: int, thousands: int, cpu: list, title: str, words: str) -> Table:
    table = Table(
        f"{title} over {devices} machines of {thousands},000 files: '{words}'", "ms",
        "first result at most 50 ms, all at most 200 ms", less_is_better=True, ours="all",
    )  # fmt: skip
    for _ in range(3):
        search(client, words)
    for _ in range(4 * bench.rounds):
        used = sum(each() for each in cpu)
        first, all_of_it, hits, end = search(client, words)
        used = sum(each() for each in cpu) - used
        if not end["complete"] or hits < devices:
            raise RuntimeError(f"not every machine answered whole: {end}, {hits} hits")
        table.row("first result").add(first)
        table.row("all").add(all_of_it, hits=hits, CPU_ms=1000 * used)
    table.notes.append(
        "One request on a kept connection, answered as lines. Every machine is a process of its own and is reached over "
        "its LAN lane, all on this one machine and its cores. CPU: all processes together."
    )
    return table


def search(client: Client, words: str) -> tuple[float, float, int, dict]:
    """Milliseconds to the first result and to the end, how many results, and what the end says."""
    path = f"/api/v1/files/search?q={quote(words)}&max_results_total=5000"
    begun, first, body = time.perf_counter(), 0.0, b""
    client.link.request("GET", path, headers={**client.headers, "Accept": "application/x-ndjson"})
    answer = client.link.getresponse()
    while piece := answer.read1(1 << 16):
        body += piece
        if not first and b'"event":"hit"' in body:
            first = time.perf_counter()
    ended = time.perf_counter()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
    end = json.loads(body.splitlines()[-1])
    return (first - begun) * 1000, (ended - begun) * 1000, body.count(b'"event":"hit"'), end
