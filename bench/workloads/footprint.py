"""What a program costs that does nothing: start to first answer, and resident memory with an empty folder."""

import time

from lib import contestants
from lib.bench import Bench
from lib.lanthorn import Lanthorn
from lib.tables import Table


def run(bench: Bench) -> list[Table]:
    start = Table("Start to first answer", "ms", "at most 100 ms", less_is_better=True)
    idle = Table("Idle with an empty share", "MiB resident", "at most 30 MiB", less_is_better=True)
    for _ in range(max(bench.rounds, 3)):
        ours(bench, start, idle)
        for name in contestants.NAMES:
            theirs(bench, name, start, idle)
    start.notes.append("'lanthorn, first start' makes its keys, its database and its certificate authority as well.")
    idle.notes.append("Process tree, after some answers and two seconds of rest; then CPU over two more seconds.")
    size = bench.binary.stat().st_size / (1 << 20)
    idle.notes.append(f"The binary, with the page in it, has {size:.1f} MiB.")
    return [start, idle]


def ours(bench: Bench, start: Table, idle: Table) -> None:
    begun = time.perf_counter()
    lanthorn = Lanthorn(bench.binary, bench.fresh("lanthorn"))
    try:
        start.row("lanthorn, first start").add((lanthorn.wait() - begun) * 1000)
        lanthorn.set_up(bench.fresh("empty"))
        lanthorn.process.stop()
        begun = time.perf_counter()
        lanthorn.restart()
        start.row("lanthorn").add((lanthorn.wait() - begun) * 1000)
        client = lanthorn.client()
        for _ in range(20):
            client.good(f"{lanthorn.content}/list?path=")
        client.close()
        rest(idle, "lanthorn", lanthorn)
    finally:
        lanthorn.stop()


def theirs(bench: Bench, name: str, start: Table, idle: Table) -> None:
    begun = time.perf_counter()
    peer = contestants.start(name, bench.fresh("empty"), bench.fresh(name), bench.data.certificate, wait=False)
    if not peer:
        return
    try:
        start.row(name).add((peer.wait() - begun) * 1000)
        rest(idle, name, peer)
    finally:
        peer.stop()


def rest(idle: Table, name: str, server) -> None:
    time.sleep(2)
    resident, cpu = server.processes[0].rss_bytes(), server.processes[0].cpu_seconds()
    time.sleep(2)
    idle.row(name).add(
        resident / (1 << 20), CPU_percent_idle=50 * (server.processes[0].cpu_seconds() - cpu),
        threads=server.processes[0].threads(),
    )  # fmt: skip
