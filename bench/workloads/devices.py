"""Thousands of machines on one coordinator: each keeps its control link and beats every 20 seconds. Loopback.

Needs the program that is the machines: `cargo build --release -p lanthorn-coordinator --example devices`.
"""

import queue
import subprocess
import threading
import time
from contextlib import ExitStack

from lib.bench import Bench
from lib.lanthorn import Lanthorn
from lib.tables import Table

PATIENCE = 120
# Rights given to people other than the owner, so that there is something to look through.
RIGHTS = 100
ANSWERS = {"devices": "/api/v1/catalog/devices", "shares": "/api/v1/catalog/shares"}


class Machines:
    """The program that is all machines. Says when all are registered, and when not all are any more."""

    def __init__(self, program, lanthorn: Lanthorn, count: int, authority):
        command = [program, "run", f"127.0.0.1:{lanthorn.port}", str(count), authority]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said: queue.Queue[tuple[str, float]] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.child.stdout:
            self.said.put((line.strip(), time.perf_counter()))

    def wait_for(self, word: str) -> float:
        """The moment at which it was said."""
        while True:
            said, at = self.said.get(timeout=PATIENCE)
            if said == word:
                return at

    def stop(self) -> None:
        self.child.stdin.close()
        self.child.wait()


def run(bench: Bench) -> list[Table]:
    program = bench.binary.parent / "examples" / "devices"
    if not program.is_file():
        print("devices: left out: 'cargo build --release -p lanthorn-coordinator --example devices' makes the machines")
        return []
    count = 200 if bench.quick else 5000
    with ExitStack() as stack:
        lanthorn = start(bench, stack, program, count)
        authority = bench.fresh("authority") / "authority.pem"
        client = lanthorn.client()
        authority.write_bytes(client.good("/trust/authority.pem").body)
        client.close()
        come = Table(f"{count} machines come", "s until all are registered", "", less_is_better=True)
        begun = time.perf_counter()
        machines = Machines(program, lanthorn, count, authority)
        stack.callback(machines.stop)
        cpu = lanthorn.process.cpu_seconds()
        come.row("for the first time").add(machines.wait_for("all") - begun,
                                           CPU_s=lanthorn.process.cpu_seconds() - cpu)  # fmt: skip
        steady, answers = rest(bench, lanthorn, count)
        for _ in range(min(bench.rounds, 3)):
            come_back(come, lanthorn, machines)
    come.notes.append("After SIGKILL, from the start of the new process; machines wait 0.5 to 4 s between tries. "
                      "Both sides of 5,000 TLS handshakes share the machine's processors.")  # fmt: skip
    return [steady, answers, come]


def start(bench: Bench, stack: ExitStack, program, count: int) -> Lanthorn:
    lanthorn = Lanthorn(bench.binary, bench.fresh("coordinator"))
    stack.callback(lambda: lanthorn.stop())
    lanthorn.set_up(bench.fresh("empty"))
    lanthorn.process.stop()
    subprocess.run([program, "seed", lanthorn.home / "state", str(count)], check=True)
    lanthorn.restart()
    lanthorn.wait()
    return lanthorn


def give_rights(lanthorn: Lanthorn, client) -> None:
    """Every hundredth share may be read by everybody."""
    shares = client.good(ANSWERS["shares"]).json()["shares"]
    for share in shares[:: max(1, len(shares) // RIGHTS)]:
        right = {"share": share["id"], "subject": {"kind": "everyone"}, "permissions": ["read"]}
        client.good("/api/v1/grants", method="PUT", body=right, **lanthorn.own_page())


def rest(bench: Bench, lanthorn: Lanthorn, count: int) -> tuple[Table, Table]:
    """What it costs while all beat and nobody asks, then how fast it answers."""
    client = lanthorn.client()
    give_rights(lanthorn, client)
    known = client.good(ANSWERS["devices"]).json()["devices"]
    if sum(device["online"] for device in known) != count + 1:
        raise RuntimeError("not all machines are online")
    steady = Table(f"{count} machines beat every 20 s", "% of one core", "RSS at most 400 MiB, CPU at most 25 %",
                   less_is_better=True)  # fmt: skip
    seconds = 10 if bench.quick else 40
    cpu = lanthorn.process.cpu_seconds()
    time.sleep(seconds)
    steady.row("lanthorn").add(100 * (lanthorn.process.cpu_seconds() - cpu) / seconds,
                               MiB_resident=lanthorn.process.rss_bytes() / (1 << 20))  # fmt: skip
    # A connection that rested so long has been closed.
    client.close()
    client = lanthorn.client()
    answers = Table("The catalog meanwhile", "ms, p99", "at most 50 ms", less_is_better=True, ours="devices")
    for name, path in ANSWERS.items():
        times = sorted(client.good(path).total_ms for _ in range(40 if bench.quick else 200))
        answers.row(name).add(times[len(times) * 99 // 100], median=times[len(times) // 2],
                              MiB=len(client.good(path).body) / (1 << 20),
                              MiB_resident_after=lanthorn.process.rss_bytes() / (1 << 20))  # fmt: skip
    client.close()
    return steady, answers


def come_back(come: Table, lanthorn: Lanthorn, machines: Machines) -> None:
    lanthorn.process.child.kill()
    lanthorn.process.child.wait()
    machines.wait_for("not all")
    begun = time.perf_counter()
    lanthorn.restart()
    come.row("after the coordinator was killed").add(machines.wait_for("all") - begun,
                                                     CPU_s=lanthorn.process.cpu_seconds())  # fmt: skip
