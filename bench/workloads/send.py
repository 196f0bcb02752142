"""What is sent from machine to machine, encrypted and verified, beside scp, tar over ssh and, in the clear, an rsync
daemon: one large file, and many small ones. Sources and destinations lie in memory where the system has such a place."""

import getpass
import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from lib import tools
from lib.bench import Bench
from lib.fleet import pair, start, wait_for_all
from lib.processes import Meter, Process, free_port
from lib.tables import Table

MEMORY = Path("/dev/shm")
SSH = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")


def run(bench: Bench) -> list[Table]:
    place = (MEMORY if MEMORY.is_dir() else bench.scratch) / f"lanthorn-send-{os.getpid()}"
    place.mkdir()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        contestants = [Ours(bench, stack, place), Ours(bench, stack, place, "quic"), *others(bench, stack, place)]
        tables = [large(bench, place, contestants), small(bench, place, contestants)]
        # 10 GiB in memory, and nothing else there.
        return [*tables, *huge(bench, place, contestants[0])]


def large(bench: Bench, place: Path, contestants: list) -> Table:
    mebibytes = 64 if bench.quick else 1024
    file = Path(shutil.copy(bench.data.big(mebibytes) / "big.bin", place))
    goal = "at least 2 × scp, aim 0.9 × the rsync daemon, which does not encrypt"
    table = Table(f"{mebibytes} MiB from machine to machine", "MiB/s", goal, less_is_better=False)
    for number in range(bench.rounds + 1):
        for contestant in contestants:
            took, meter, came = contestant.send(file)
            if came.stat().st_size != file.stat().st_size or (not number and came.read_bytes() != file.read_bytes()):
                raise RuntimeError(f"{contestant.name}: something else came than what was sent")
            came.unlink()
            if number:
                cpu = (meter.server_cpu + meter.client_cpu) * 1024 / mebibytes
                table.row(contestant.name).add(mebibytes / took, CPU_s_per_GiB=cpu, others_busy_percent=100 * meter.others)
    file.unlink()
    return table


def small(bench: Bench, place: Path, contestants: list) -> Table:
    hundreds = 2 if bench.quick else 100
    folder = Path(shutil.copytree(bench.data.sent(hundreds), place / "many"))
    goal = "at least as fast as tar over ssh"
    table = Table(f"{hundreds * 100:,} files of 4 KiB from machine to machine", "ms", goal, less_is_better=True)
    for number in range(bench.rounds + 1):
        for contestant in contestants:
            took, meter, came = contestant.send(folder)
            if (count := sum(1 for _ in came.rglob("*.bin"))) != hundreds * 100:
                raise RuntimeError(f"{contestant.name}: {count} files came")
            shutil.rmtree(came)
            if number:
                table.row(contestant.name).add(1000 * took, others_busy_percent=100 * meter.others)
    return table


def huge(bench: Bench, place: Path, ours: "Ours") -> list[Table]:
    """How soon the first byte of a large file is there and verified, begun anew and gone on with, and in how much memory."""
    gibibytes = 1 if bench.quick else 10
    file = place / "huge.bin"
    with open(file, "wb") as made:
        # Without blocks on the disk: it takes no memory here, and is hashed and sent as any other.
        made.truncate(gibibytes << 30)
    first = Table(f"First byte of {gibibytes} GiB there and verified", "s", "begun ≤ 1 s, gone on with ≤ 2 s", less_is_better=True)
    memory = Table(f"Memory while {gibibytes} GiB are sent", "MiB", "≤ 150 MiB each", less_is_better=True)
    for _ in range(bench.rounds):
        begun, sender = follow(ours.command(file, "--json"), stop_at=gibibytes << 29)
        resumed, again = follow(ours.command(file, "--json"))
        (ours.inbox / file.name).unlink()
        first.row("begun").add(begun)
        first.row("gone on with after half of it").add(resumed)
        memory.row("sender").add(max(sender, again))
        memory.row("receiver").add(peak_of(ours.receiver.process.pid))
    file.unlink()
    return [first, memory]


def follow(command: list[str], stop_at: int | None = None) -> tuple[float, float]:
    """Seconds until something new had come, by the events; and the sender's peak of memory. Killed once so much is there."""
    started, came, before, peak = time.perf_counter(), None, None, 0.0
    sending = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for event in map(json.loads, sending.stdout):
        peak = max(peak, peak_of(sending.pid))
        if event["event"] == "begun":
            # What was there before is told first.
            before = None if event["resumed"] else 0
        if event["event"] != "got":
            continue
        if before is None:
            before = event["bytes"]
        elif came is None and event["bytes"] > before:
            came = time.perf_counter() - started
        if stop_at and event["bytes"] >= stop_at:
            sending.kill()
            break
    sending.stdout.close()
    if sending.wait() and not stop_at or came is None:
        raise RuntimeError(f"nothing was sent by {command}")
    return came, peak


def peak_of(pid: int) -> float:
    """Mebibytes that a process has had in memory at most."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def timed(name: str, processes: list[Process], command: list[str] | str) -> tuple[float, Meter]:
    with Meter(*processes) as meter:
        begun = time.perf_counter()
        quiet = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, "check": False}
        done = subprocess.run(command, shell=isinstance(command, str), **quiet)
        took = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stdout[-1000:]} {done.stderr[-1000:]}")
    return took, meter


class Ours:
    """`lanthorn send` from a coordinator's machine to the inbox of another; all lanes, or these alone."""

    def __init__(self, bench: Bench, stack: ExitStack, place: Path, lanes: str = "all"):
        self.name = "lanthorn" if lanes == "all" else f"lanthorn, {lanes} alone"
        inbox, empty = place / f"inbox-{lanes}", bench.fresh("shared")
        self.lanes = ("--lanes", lanes)
        self.sender = start(bench, stack, empty, *self.lanes)
        self.receiver = start(bench, stack, empty, "--inbox-dir", str(inbox))
        self.binary, self.inbox = bench.binary, inbox
        pair(bench, self.receiver, self.sender)
        client = self.sender.client()
        stack.callback(client.close)
        wait_for_all(client, 1)
        self.device = self.receiver.content.split("/")[4]

    def command(self, source: Path, *more: str) -> list[str]:
        homes = [f"--{name}-dir={self.sender.home / name}" for name in ("settings", "state", "cache")]
        return [str(self.binary), "send", *homes, *self.lanes, str(source), "--to", self.device, *more]

    def send(self, source: Path) -> tuple[float, Meter, Path]:
        took, meter = timed(self.name, [self.sender.process, self.receiver.process], self.command(source))
        return took, meter, self.inbox / source.name


class Shell:
    """A program that sends by a command, to a folder of its own."""

    def __init__(self, name: str, place: Path, server: Process, command):
        self.name, self.server, self.command = name, server, command
        self.into = place / name.replace(" ", "-")
        self.into.mkdir()

    def send(self, source: Path) -> tuple[float, Meter, Path]:
        took, meter = timed(self.name, [self.server], self.command(source, self.into))
        return took, meter, self.into / source.name


def others(bench: Bench, stack: ExitStack, place: Path) -> list[Shell]:
    found = []
    if tools.find("sshd") and tools.find("ssh-keygen"):
        port, key, server = ssh_server(bench, stack)
        words = [*SSH, "-i", str(key), "-o", f"Port={port}"]
        host, line = f"{getpass.getuser()}@127.0.0.1", " ".join(words)
        found.append(Shell("scp", place, server, lambda source, into: ["scp", "-q", "-r", *words, str(source), f"{host}:{into}/"]))
        tar = "tar -C {0} -cf - {1} | ssh {2} {3} tar -C {4} -xf -"
        found.append(Shell(
            "tar over ssh", place, server,
            lambda source, into: tar.format(source.parent, source.name, line, host, into),
        ))  # fmt: skip
    if rsync := tools.find("rsync"):
        port, server = rsync_daemon(bench, stack, rsync, place)
        found.append(Shell(
            "rsync daemon", place, server,
            lambda source, into: [rsync, "-a", "--whole-file", str(source), f"rsync://127.0.0.1:{port}/all/{into.name}/"],
        ))  # fmt: skip
    return found


def ssh_server(bench: Bench, stack: ExitStack) -> tuple[int, Path, Process]:
    home, port = bench.fresh("sshd"), free_port()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)], check=True)
    Path("/run/sshd").mkdir(exist_ok=True)
    lines = (
        f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {home / 'host'}", f"AuthorizedKeysFile {home / 'user.pub'}",
        "StrictModes no", "UsePAM no", "PermitRootLogin yes", "Subsystem sftp internal-sftp", f"PidFile {home / 'pid'}",
    )  # fmt: skip
    (home / "config").write_text("\n".join(lines) + "\n")
    server = Process([tools.need("sshd"), "-D", "-e", "-f", str(home / "config")], home / "log")
    stack.callback(server.stop)
    wait_for(port)
    return port, home / "user", server


def rsync_daemon(bench: Bench, stack: ExitStack, rsync: str, place: Path) -> tuple[int, Process]:
    home, port = bench.fresh("rsync"), free_port()
    owner = f"uid = {os.getuid()}\ngid = {os.getgid()}\n" if not os.getuid() else ""
    (home / "config").write_text(f"use chroot = no\n{owner}[all]\npath = {place}\nread only = no\n")
    command = [rsync, "--daemon", "--no-detach", "--address=127.0.0.1", f"--port={port}", f"--config={home / 'config'}"]
    server = Process(command, home / "log")
    stack.callback(server.stop)
    wait_for(port)
    return port, server


def wait_for(port: int) -> None:
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError(f"nothing listens at {port}")
