"""A browser reads from another machine through the coordinator, on either lane, beside the bare transports: real
processes on loopback. Needs the program of the workload `lanes`.
"""

from contextlib import ExitStack
from statistics import median

from lib import load
from lib.bench import Bench
from lib.fleet import pair, start, wait_for_all
from lib.http import Client
from lib.lanthorn import Lanthorn
from lib.processes import Meter
from lib.tables import Table

from . import lanes

LANES = {"lan": "LAN lane", "quic": "QUIC lane"}
# What each lane is called where a path is shown.
PATHS = {"lan": "lan", "quic": "direct"}
REQUESTS = 500


class Pair:
    """A coordinator, and a machine that it reaches on one lane only."""

    def __init__(self, bench: Bench, stack: ExitStack, root, lane: str):
        self.coordinator = start(bench, stack, root, "--lanes", lane)
        self.machine = start(bench, stack, root, "--lanes", lane)
        pair(bench, self.machine, self.coordinator)
        self.client: Client = self.coordinator.client()
        stack.callback(self.client.close)
        wait_for_all(self.client, 1)
        self.check_lane(lane)

    def check_lane(self, lane: str) -> None:
        """The path that is used is the one that is to be measured."""
        self.client.good(self.machine.content + "/stat?path=")
        device = self.machine.content.split("/shares")[0]
        path = self.client.good(device + "/path").json()
        if path["lane"] != PATHS[lane]:
            raise RuntimeError(f"measured would be {path}, not {lane}")

    def fetch(self) -> tuple[load.Fetched, Meter]:
        url = self.coordinator.base() + self.machine.file("big.bin")
        with Meter(self.coordinator.process, self.machine.process) as meter:
            got = load.curl(url, self.coordinator.headers())
        return got, meter


def run(bench: Bench) -> list[Table]:
    program = lanes.find(bench)
    if not program:
        return []
    mebibytes = 64 if bench.quick else 1024
    root = bench.data.big(mebibytes)
    with ExitStack() as stack:
        pairs = {name: Pair(bench, stack, root, lane) for lane, name in LANES.items()}
        return [streaming(bench, program, pairs, mebibytes), requests(bench, pairs)]


def streaming(bench: Bench, program, pairs: dict[str, Pair], mebibytes: int) -> Table:
    table = Table(
        f"{mebibytes} MiB of another machine through the gateway, over HTTP", "MiB/s",
        "LAN lane \u2265 0.7 \u00d7 bare TLS, QUIC lane \u2265 0.8 \u00d7 bare iroh", less_is_better=False, ours="LAN lane",
    )  # fmt: skip
    for _ in range(bench.rounds):
        for name, each in pairs.items():
            got, meter = each.fetch()
            if (got.status, got.size) != (200, mebibytes << 20):
                raise RuntimeError(f"{name}: status {got.status}, {got.size} bytes")
            table.row(name).add(mebibytes * 1000 / got.total_ms, CPU_s_per_GiB=meter.server_cpu * 1024 / mebibytes)
        figures = lanes.measure(program, 1)
        for (kind, rate), (_, cpu) in zip(figures["MiB/s"], figures["CPU s/GiB"], strict=True):
            if kind in ("tls", "iroh"):
                table.row(lanes.NAMES[kind]).add(rate, CPU_s_per_GiB=cpu)
    table.notes.append(
        "Three processes (the machine, the coordinator, curl) where the bare copies have two, on the same processors. "
        "CPU: machine and coordinator, or both ends."
    )
    return table


def requests(bench: Bench, pairs: dict[str, Pair]) -> Table:
    table = Table(
        "A small request (the facts of one file)", f"ms, median of {REQUESTS}",
        "another machine costs at most 1 ms more", less_is_better=True, ours="LAN lane",
    )  # fmt: skip
    for _ in range(bench.rounds):
        for name, each in pairs.items():
            # A new connection: those that stay unused are ended.
            client = each.coordinator.client()
            table.row("this machine, " + name + " idle").add(asking(client, each.coordinator))
            table.row(name).add(asking(client, each.machine))
            client.close()
    return table


def asking(client: Client, machine: Lanthorn) -> float:
    path = machine.content + "/stat?path=big.bin"
    return median(client.good(path).total_ms for _ in range(REQUESTS))
