"""The ways between two devices beside the bare transports they are made of: two processes, loopback.

Needs the program that measures: `cargo build --release -p lanthorn-peer --example lanes`.
"""

import json
import subprocess
from pathlib import Path

from lib.bench import Bench
from lib.tables import Table

NAMES = {"tls": "bare TLS over TCP", "lan": "LAN lane", "iroh": "bare iroh stream", "quic": "QUIC lane"}


def find(bench: Bench) -> Path | None:
    """The program that measures, if it is built."""
    program = bench.binary.parent / "examples" / "lanes"
    if program.is_file():
        return program
    print("left out: 'cargo build --release -p lanthorn-peer --example lanes' makes what measures the lanes")
    return None


def run(bench: Bench) -> list[Table]:
    program = find(bench)
    if not program:
        return []
    rate = Table("1 GiB between two devices", "MiB/s", "LAN lane ≥ 0.7 × bare TLS, QUIC lane ≥ 0.8 × bare iroh",
                 less_is_better=False, ours="LAN lane")  # fmt: skip
    small = Table("Small requests to another device", "ms, median of 2,000",
                  "first connection ≤ 100 ms, dial to first byte after that ≤ 2 ms", less_is_better=True,
                  ours="LAN lane")  # fmt: skip
    figures = measure(program, bench.rounds)
    for speed, cost in zip(figures["MiB/s"], figures["CPU s/GiB"], strict=True):
        rate.row(NAMES[speed[0]]).add(speed[1], CPU_s_per_GiB_both_ends=cost[1])
    for request, first in zip(figures["request ms"], figures["connect ms"], strict=True):
        small.row(NAMES[request[0]]).add(request[1], first_connection_and_answer_ms=first[1])
    rate.notes.append("From memory to nothing; two processes on the same machine share its processors.")
    return [rate, small]


def measure(program: Path, rounds: int) -> dict[str, list[tuple[str, float]]]:
    lines = subprocess.run([program, str(rounds)], capture_output=True, text=True, check=True).stdout
    figures: dict[str, list[tuple[str, float]]] = {}
    for figure in map(json.loads, lines.splitlines()):
        figures.setdefault(figure["what"], []).append((figure["name"], figure["value"]))
    return figures
