"""Processes: started with a log, measured with their children, ended by their id."""

import os
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

from .machine import CORES, TICKS, busy_seconds

PAGE = os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stat_of(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name, or None if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def tree_of(root: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat_of(int(entry))):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


class Process:
    """A program under measurement."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str] | None = None, cwd: Path | None = None):
        self.log = log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(env or {})}, cwd=cwd
            )

    @property
    def pid(self) -> int:
        return self.child.pid

    def is_running(self) -> bool:
        return self.child.poll() is None

    def cpu_seconds(self) -> float:
        """CPU of the process tree so far, children that have ended included."""
        total = 0
        for pid in tree_of(self.pid):
            if fields := stat_of(pid):
                total += sum(int(field) for field in fields[11:15])
        return total / TICKS

    def rss_bytes(self) -> int:
        """Resident memory of the process tree."""
        return sum(int(fields[21]) * PAGE for pid in tree_of(self.pid) if (fields := stat_of(pid)))

    def threads(self) -> int:
        return sum(int(fields[17]) for pid in tree_of(self.pid) if (fields := stat_of(pid)))

    def stop(self) -> None:
        """Asks politely, then insists, and does the same to what its children leave behind."""
        family = tree_of(self.pid)
        if self.is_running():
            self.child.terminate()
            try:
                self.child.wait(6)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        for pid in family[1:]:
            end_orphan(pid)


def end_orphan(pid: int) -> None:
    deadline = time.monotonic() + 2
    while stat_of(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    if stat_of(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Meter:
    """Wall time, CPU of the server and of the client, and of everything else on the machine, around a block."""

    def __init__(self, *servers: Process):
        self.servers = servers

    def __enter__(self) -> "Meter":
        self.server_cpu, self.client_cpu = -self._servers(), -own_cpu()
        self.others = -busy_seconds()
        self.wall = -time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter()
        self.others += busy_seconds()
        self.server_cpu += self._servers()
        self.client_cpu += own_cpu()
        self.others = max(0.0, self.others - self.server_cpu - self.client_cpu) / max(self.wall, 1e-9) / CORES

    def _servers(self) -> float:
        return sum(server.cpu_seconds() for server in self.servers)


def own_cpu() -> float:
    """CPU of the harness and of the clients it has waited for."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def run_command(command: list[str]) -> tuple[float, float]:
    """Runs a command to its end: milliseconds, and milliseconds of CPU."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, target) for target in (0, 1, 2)]
    begun = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begun
    os.close(null)
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise RuntimeError(f"{command[0]} failed: {command}")
    return wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000
