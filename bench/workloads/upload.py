"""A large file sent in one request over HTTP, until it is on the disk."""

import os
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from lib import receivers, tools
from lib.bench import Bench
from lib.lanthorn import Lanthorn
from lib.processes import Meter
from lib.tables import Table

GOAL = "faster than miniserve"


def run(bench: Bench) -> list[Table]:
    mebibytes = 64 if bench.quick else 1024
    file = bench.data.big(mebibytes) / "big.bin"
    table = Table(f"{mebibytes} MiB sent in one request over HTTP, synced", "MiB/s", GOAL, less_is_better=False)
    table.notes.append("Client: curl. Who does not sync what came has it synced by the harness, in the same time.")
    with ExitStack() as stack:
        senders = {}
        for name in ("lanthorn", *receivers.COMMANDS):
            root = bench.fresh(f"taken-{name}")
            if sender := start(bench, stack, name, root):
                senders[name] = (sender, root)
        for number in range(bench.rounds + 1):
            for name, (sender, root) in senders.items():
                once(table, name, sender, root, file, counts=number > 0)
    return [table]


def start(bench: Bench, stack: ExitStack, name: str, root: Path):
    if name != "lanthorn":
        server = receivers.start(name, root, bench.fresh(f"home-{name}"))
    else:
        server = Lanthorn(bench.binary, bench.fresh("home-lanthorn"))
        stack.callback(server.stop)
        server.set_up(root)
        return server
    if server:
        stack.callback(server.stop)
    return server


def once(table: Table, name: str, server, root: Path, file: Path, *, counts: bool) -> None:
    """Sends the file under a new name, looks at what came, and removes it."""
    size, place = file.stat().st_size, root / "came.bin"
    with Meter(*server.processes) as meter:
        begun = time.perf_counter()
        send(server, file)
        sync(place)
        took = time.perf_counter() - begun
    if place.stat().st_size != size or not same(place, file):
        raise RuntimeError(f"{name}: something else came than what was sent")
    place.unlink()
    os.sync()
    if counts:
        cpu = meter.server_cpu / (size / 2**30)
        table.row(name).add(size / 2**20 / took, server_CPU_s_per_GiB=cpu, others_busy_percent=100 * meter.others)


def send(server, file: Path) -> None:
    command = [tools.need("curl"), "-sS", "--fail", "-o", "/dev/null", "--http1.1"]
    if server.name == "lanthorn":
        for header in {**server.headers(), **server.own_page()}.items():
            command += ["-H", ": ".join(header)]
        command += ["-T", str(file), f"{server.base()}{server.content}/content?path=came.bin"]
    else:
        command += receivers.upload(server, file, "came.bin")
    subprocess.run(command, check=True, capture_output=True)


def sync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def same(one: Path, other: Path) -> bool:
    return subprocess.run(["cmp", "-s", str(one), str(other)], check=False).returncode == 0
