"""Thumbnails of 12-megapixel photos: CPU for each in the server, beside vipsthumbnail's process."""

from concurrent.futures import ThreadPoolExecutor

from lib import tools
from lib.bench import Bench
from lib.processes import Meter, run_command
from lib.tables import Table

SIZE = 320


def run(bench: Bench) -> list[Table]:
    count = 4 if bench.quick else 20
    photos = bench.data.photos(count)
    table = Table(
        f"A thumbnail of {SIZE} pixels from a 12-megapixel JPEG", "CPU ms each", "at most 60 ms of one core",
        less_is_better=True,
    )  # fmt: skip
    for path in photos.iterdir():
        path.read_bytes()
    for _ in range(bench.rounds):
        # A fresh server each round, so that no thumbnail is remembered.
        with bench.servers(photos, peers=()) as servers:
            ours(table, "lanthorn", servers["lanthorn"], count, at_once=1)
        with bench.servers(photos, peers=()) as servers:
            ours(table, "lanthorn, six asked at once", servers["lanthorn"], count, at_once=6)
        if program := tools.find("vipsthumbnail"):
            theirs(table, program, photos, bench.scratch / "thumbnail.jpg")
    table.notes.append(f"{count} files a round, each asked for once. vipsthumbnail: one process for each.")
    return [table]


def ours(table: Table, name: str, lanthorn, count: int, at_once: int) -> None:
    warm_up(lanthorn)
    before = lanthorn.process.rss_bytes()
    with Meter(*lanthorn.processes) as meter, ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda number: thumbnail(lanthorn, number), range(count)))
    grown = max(0, lanthorn.process.rss_bytes() - before)
    table.row(name).add(
        1000 * meter.server_cpu / count, wall_ms_each=1000 * meter.wall / count, memory_growth_MiB=grown / (1 << 20)
    )


def warm_up(lanthorn) -> None:
    client = lanthorn.client()
    client.good(f"{lanthorn.content}/list?path=")
    client.close()


def thumbnail(lanthorn, number: int) -> None:
    client = lanthorn.client()
    answer = client.good(f"{lanthorn.content}/thumbnail?path=p{number:02d}.jpg&size={SIZE}")
    client.close()
    if not answer.headers["Content-Type"].startswith("image/") or not 1000 < len(answer.body) < 200_000:
        raise RuntimeError(f"no thumbnail: {answer.headers['Content-Type']}, {len(answer.body)} bytes")


def theirs(table: Table, program: str, photos, out) -> None:
    for path in sorted(photos.iterdir()):
        wall, cpu = run_command([program, str(path), "--size", str(SIZE), "-o", f"{out}[Q=80]"])
        table.row("vipsthumbnail").add(cpu, wall_ms_each=wall)
