"""Names found among a million files: Lanthorn over HTTP, plocate and fd as commands."""

import subprocess
from urllib.parse import quote

from lib import tools
from lib.bench import Bench
from lib.data import COMMON, FUZZY, HUNDREDS, RARE
from lib.processes import run_command
from lib.tables import Table

from .index import build_plocate, wait_for_index

QUERIES = {
    "rare": ("A rare name", RARE, "at most plocate's command"),
    "hundreds": ("Hundreds of hits", HUNDREDS, "at most plocate's command"),
    "common": ("Tens of thousands of hits", COMMON, "at most 40 ms"),
    "fuzzy": ("A fuzzy query", FUZZY, "at most 40 ms"),
}


def run(bench: Bench) -> list[Table]:
    thousands = 20 if bench.quick else 1000
    root = bench.data.tree(thousands)
    database = bench.fresh("plocate") / "db"
    commands = {}
    if build_plocate(root, database):
        commands["plocate"] = [tools.need("plocate"), "-d", str(database)]
    if fd := tools.find("fd"):
        commands["fd"] = [fd, "--unrestricted", "--fixed-strings", "--base-directory", str(root)]
    with bench.servers(root, peers=()) as servers:
        lanthorn = servers["lanthorn"]
        wait_for_index(lanthorn)
        return [measure(bench, lanthorn, commands, thousands, *query) for query in QUERIES.values()]


def measure(bench, lanthorn, commands: dict, thousands: int, title: str, words: str, goal: str) -> Table:
    table = Table(f"{title} among {thousands:,},000 files: '{words}'", "ms", goal, less_is_better=True)
    client = lanthorn.client()
    path = f"{lanthorn.content}/search?q={quote(words)}"
    if words != FUZZY:
        check(table, client.good(path).json(), commands, words)
    else:
        commands = {}
    for _ in range(3):
        client.good(path)
    for turn in range(4 * bench.rounds):
        answer = client.good(path)
        table.row("lanthorn").add(answer.total_ms, hits=answer.json()["total"], listed=len(answer.json()["entries"]))
        for name, command in commands.items():
            # fd takes a second for each: a fifth of the rounds are enough.
            if name != "fd" or turn % 4 == 0:
                wall, cpu = run_command([*command, words])
                table.row(name).add(wall, hits=table.hits[name], CPU_ms=cpu)
    client.close()
    table.notes.append(
        "Lanthorn: one HTTP request on a kept connection, best hits with size and date. "
        "plocate and fd: the command from start to end, names to /dev/null."
    )
    return table


def check(table: Table, ours: dict, commands: dict, words: str) -> None:
    """All find the same number of files."""
    table.hits = {"lanthorn": ours["total"]}
    for name, command in commands.items():
        table.hits[name] = len(subprocess.run([*command, words], capture_output=True, check=False).stdout.splitlines())
    if len(set(table.hits.values())) != 1:
        table.notes.append(f"The numbers of hits differ: {table.hits}")
    if not ours["complete"] or not ours["total"]:
        raise RuntimeError(f"the search for {words} was not answered from a whole index: {ours['total']}")
