"""The index of names: its memory, its making beside updatedb, and how soon it knows of a change."""

import time
from pathlib import Path
from urllib.parse import quote

from lib import tools
from lib.bench import Bench
from lib.data import RARE
from lib.processes import run_command
from lib.tables import Table

PATIENCE = 120


def run(bench: Bench) -> list[Table]:
    thousands = 20 if bench.quick else 1000
    root = bench.data.tree(thousands)
    build = Table(
        f"First index of {thousands:,},000 names", "ms", "at most updatedb; at most 100 bytes of memory a file",
        less_is_better=True,
    )  # fmt: skip
    fresh = Table("A change on disk until it is found", "ms", "at most 200 ms", less_is_better=True)
    warm = Table("Start with a saved index until it answers whole", "ms", "a restart is warm", less_is_better=True)
    empty = empty_rss(bench)
    for turn in range(min(bench.rounds, 3)):
        build_ours(bench, root, build, fresh, warm, thousands, empty, last=turn == 0)
        build_theirs(bench, root, build)
    build.notes.append(
        "Lanthorn: from the answer to setup until a search says it is complete, asked every 50 ms. "
        "Memory: resident, less that of the same process with an empty share."
    )
    return [build, fresh, warm]


def empty_rss(bench: Bench) -> int:
    """Resident memory with an empty share."""
    with bench.servers(bench.fresh("empty"), peers=()) as servers:
        wait_for_index(servers["lanthorn"])
        return servers["lanthorn"].process.rss_bytes()


def build_ours(bench, root: Path, build: Table, fresh: Table, warm: Table, thousands: int, empty: int, last: bool):
    with bench.servers(root, peers=()) as servers:
        lanthorn = servers["lanthorn"]
        begun = lanthorn.set_up_at
        took = (wait_for_index(lanthorn) - begun) * 1000
        used = lanthorn.process.rss_bytes() - empty
        build.row("lanthorn").add(
            took, CPU_ms=1000 * lanthorn.process.cpu_seconds(), resident_bytes_a_file=used / (thousands * 1000)
        )
        if last:
            find_changes(lanthorn, root, fresh)
        lanthorn.restart()
        begun = time.perf_counter()
        warm.row("lanthorn").add((wait_for_index(lanthorn) - begun) * 1000)


def build_theirs(bench: Bench, root: Path, build: Table) -> None:
    database = bench.fresh("plocate") / "db"
    if figures := build_plocate(root, database):
        wall, cpu = figures
        build.row("updatedb").add(wall, CPU_ms=cpu, file_MiB=database.stat().st_size / (1 << 20))


def build_plocate(root: Path, database: Path) -> tuple[float, float] | None:
    """Runs updatedb on nothing but this tree."""
    program = tools.find("updatedb")
    if not program or not tools.find("plocate"):
        return None
    open_to_all = ["--prunepaths", "", "--prunefs", "", "--prunenames", "", "--prune-bind-mounts", "no"]
    return run_command([program, "-U", str(root), "-o", str(database), "-l", "no", *open_to_all])


def wait_for_index(lanthorn) -> float:
    """Waits until searches are answered from a whole index; gives the moment."""
    lanthorn.wait()
    client = lanthorn.client()
    deadline = time.perf_counter() + PATIENCE
    while time.perf_counter() < deadline:
        answer = client.good(f"{lanthorn.content}/search?q={RARE}&limit=1")
        if answer.json()["complete"]:
            client.close()
            return time.perf_counter()
        time.sleep(0.05)
    raise RuntimeError("the index was not complete in time")


def find_changes(lanthorn, root: Path, table: Table) -> None:
    """Files made, renamed, removed, and made in new folders; each asked for until it is found."""
    client = lanthorn.client()
    folders = sorted(path for path in root.glob("*/*") if path.is_dir())
    for turn in range(20):
        folder = folders[turn * 37 % len(folders)]
        made, renamed = folder / f"wombatlike-{turn}.txt", folder / f"narwhalish-{turn}.txt"
        made.write_text("")
        table.row("a file is made").add(until(client, lanthorn, made.name, 1))
        made.rename(renamed)
        table.row("it is renamed").add(until(client, lanthorn, renamed.name, 1))
        renamed.unlink()
        table.row("it is removed").add(until(client, lanthorn, renamed.name, 0))
        inner = folder / f"quokkalike-{turn}"
        inner.mkdir()
        (inner / f"axolotlish-{turn}.txt").write_text("")
        table.row("a file in a new folder").add(until(client, lanthorn, f"axolotlish-{turn}.txt", 1))
        (inner / f"axolotlish-{turn}.txt").unlink()
        inner.rmdir()
    client.close()


def until(client, lanthorn, name: str, hits: int) -> float:
    begun = time.perf_counter()
    while time.perf_counter() < begun + 20:
        if client.good(f"{lanthorn.content}/search?q={quote(name)}&limit=1").json()["total"] == hits:
            return (time.perf_counter() - begun) * 1000
        time.sleep(0.002)
    raise RuntimeError(f"the change of {name} was not seen in 20 s")
