"""What the programs' own senders send: one large file, resumable and verified, and many small ones beside one of
their size together."""

import os
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from lib import tools
from lib.bench import Bench
from lib.processes import Meter
from lib.tables import Table

from .upload import same, start

TOGETHER = 40


def run(bench: Bench) -> list[Table]:
    with ExitStack() as stack:
        senders = {}
        for name in ("lanthorn", "copyparty"):
            root = bench.fresh(f"put-{name}")
            if server := start(bench, stack, name, root):
                senders[name] = (server, root)
        return [large(bench, senders), small(bench, senders)]


def large(bench: Bench, senders: dict) -> Table:
    mebibytes = 64 if bench.quick else 1024
    file = bench.data.big(mebibytes) / "big.bin"
    table = Table(
        f"{mebibytes} MiB by the program's own sender, resumable and verified", "MiB/s",
        "at least 1.5 × copyparty", less_is_better=False,
    )  # fmt: skip
    for number in range(bench.rounds + 1):
        for name, (server, root) in senders.items():
            with Meter(*server.processes) as meter:
                took, came = send(bench, server, root, file, number)
            if not same(came, file):
                raise RuntimeError(f"{name}: something else came than what was sent")
            came.unlink()
            os.sync()
            if number:
                table.row(name).add(
                    mebibytes / took, server_CPU_s_per_GiB=1024 * meter.server_cpu / mebibytes,
                    sender_CPU_s_per_GiB=1024 * meter.client_cpu / mebibytes, others_busy_percent=100 * meter.others,
                )  # fmt: skip
    return table


def small(bench: Bench, senders: dict) -> Table:
    hundreds = 2 if bench.quick else 100
    table = Table(
        f"{hundreds * 100:,} files of 4 KiB by the program's own sender", "ms",
        f"within 2 × of one file of {TOGETHER} MiB", less_is_better=True,
    )  # fmt: skip
    table.notes.append("Synced at the end, by the harness where the program does not.")
    # What came stays: ext4 without a journal, as on some virtual machines, goes past each inode that was freed in the last
    # minutes for every file that is made, and that would be measured then.
    wishes = {"one": bench.data.big(TOGETHER) / "big.bin", "many": bench.data.sent(hundreds)}
    for number in range(bench.rounds + 1):
        for name, (server, root) in senders.items():
            for what, source in wishes.items():
                took, came = send(bench, server, root, source, f"{what}-{number}")
                if what == "many" and (count := len(list(came.glob("*/*.bin")))) < hundreds * 100:
                    raise RuntimeError(f"{name}: {count} files came")
                os.sync()
                if number:
                    table.row(name if what == "many" else f"{name}, one file").add(1000 * took)
    many, one = table.rows["lanthorn"].main.median, table.rows["lanthorn, one file"].main.median
    table.notes.append(f"Many take {many / one:.1f} × as long as one.")
    return table


def send(bench: Bench, server, root: Path, source: Path, into: object) -> tuple[float, Path]:
    """Seconds from the command to the disk, and what came. Copyparty remembers what it had: each round has a folder."""
    folder = root / f"round-{into}"
    folder.mkdir(exist_ok=True)
    begun = time.perf_counter()
    if server.name == "lanthorn":
        homes = [f"--{name}-dir={server.home / name}" for name in ("settings", "state", "cache")]
        command = [str(bench.binary), "put", *homes, str(source), f"bench:{root.name}/{folder.name}/"]
    else:
        command = [tools.need("u2c"), f"{server.base()}/{folder.name}/", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise RuntimeError(f"{server.name}: {done.stdout[-1000:]} {done.stderr[-1000:]}")
    if server.name != "lanthorn":
        settle(root)
    return time.perf_counter() - begun, folder / source.name


def settle(root: Path) -> None:
    """Everything on the disk that `root` is on."""
    handle = os.open(root, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
    os.sync()
