"""The files that are served and searched: made once, the same every time, in a folder that may be kept."""

import os
import random
import shutil
import subprocess
from functools import cached_property
from pathlib import Path

from . import tools

BLOCK = 1 << 20
SMALL_FILES, SMALL_BYTES = 10_000, 10 << 10
# Words of folder names, of file names, and those that are searched for: no word is in two of these lists.
FOLDERS = "archive family work studies music films scans letters house garden travel clients recipes sports".split()
WORDS = (
    "annual report draft final summary holiday photo contract meeting notes project alpha beta gamma backup track "
    "video clip lecture chapter paper thesis figure table data export readme map plan sketch logo banner poster flyer "
    "menu ticket badge sample test result log trace dump voice memo agenda minutes calendar contact inventory order"
).split()
ENDINGS = "jpg jpg jpg png pdf docx txt md mp3 flac mp4 mkv rs py c h json xml csv zip log html css js".split()
RARE, HUNDREDS, COMMON, FUZZY = "xylophone-needle", "quarterly zebra", "invoice", "qtrlyzebra"


class Data:
    """Each property makes its files at first use."""

    def __init__(self, root: Path):
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def _made(self, name: str, make) -> Path:
        """The folder of this name, made if it is not there whole."""
        path, half = self.root / name, self.root / f"{name}.half"
        if not path.exists():
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir()
            make(half)
            half.rename(path)
        return path

    @cached_property
    def certificate(self) -> tuple[Path, Path]:
        """A certificate of our own for the peers' HTTPS, of the kind Lanthorn makes for itself (ECDSA P-256)."""

        def make(folder: Path) -> None:
            subprocess.run(
                [
                    tools.need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "3650", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem"),
                ],
                check=True, capture_output=True,
            )  # fmt: skip

        folder = self._made("certificate", make)
        return folder / "certificate.pem", folder / "key.pem"

    def big(self, mebibytes: int) -> Path:
        """A folder with one large file, `big.bin`, of noise."""

        def make(folder: Path) -> None:
            block = random.Random(1).randbytes(BLOCK)
            with open(folder / "big.bin", "wb") as out:
                for number in range(mebibytes):
                    out.write(number.to_bytes(8, "big") + block[8:])

        folder = self._made(f"big-{mebibytes}", make)
        warm(folder / "big.bin")
        return folder

    @cached_property
    def small(self) -> Path:
        """A folder of many small files, `f00000.bin` and so on."""

        def make(folder: Path) -> None:
            source = random.Random(2)
            for number in range(SMALL_FILES):
                (folder / f"f{number:05d}.bin").write_bytes(source.randbytes(SMALL_BYTES))

        folder = self._made("small", make)
        for path in folder.iterdir():
            warm(path)
        return folder

    def sent(self, hundreds: int) -> Path:
        """A folder of so many folders with a hundred files of 4 KiB each."""

        def make(folder: Path) -> None:
            source = random.Random(4)
            for place in range(hundreds):
                (folder / f"{place:03d}").mkdir()
                for number in range(100):
                    (folder / f"{place:03d}" / f"{number:02d}.bin").write_bytes(source.randbytes(4096))

        folder = self._made(f"sent-{hundreds}", make)
        for path in folder.glob("*/*"):
            warm(path)
        return folder

    def crowded(self, entries: int) -> Path:
        """A folder with a folder `many` of so many empty files."""

        def make(folder: Path) -> None:
            (folder / "many").mkdir()
            handle = os.open(folder / "many", os.O_RDONLY)
            for number in range(entries):
                touch(handle, f"Photo {number:06d}.{ENDINGS[number % len(ENDINGS)]}")
            os.close(handle)

        return self._made(f"crowded-{entries}", make)

    def tree(self, thousands: int) -> Path:
        """A tree of so many thousand files, 100 to a folder, with names as people and cameras give them."""
        return self._made(f"tree-{thousands}k", lambda folder: make_tree(folder, thousands * 10))

    def photos(self, count: int) -> Path:
        """A folder of 12-megapixel photos, `p00.jpg` and so on: three pictures and copies of them."""

        def make(folder: Path) -> None:
            for number in range(count):
                path, first = folder / f"p{number:02d}.jpg", folder / f"p{number % 3:02d}.jpg"
                if path == first:
                    make_photo(path, number)
                else:
                    shutil.copy(first, path)

        return self._made(f"photos-{count}", make)


def warm(path: Path) -> None:
    """Reads a file into the page cache, so that programs are compared and not the disk."""
    with open(path, "rb", buffering=0) as file:
        buffer = bytearray(BLOCK)
        while file.readinto(buffer):
            pass


def touch(folder: int, name: str) -> None:
    os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=folder))


def make_tree(root: Path, folders: int) -> None:
    source, number = random.Random(3), 0
    needle = folders * 100 * 7 // 9
    for place in range(folders):
        a, b, c = place // 1000, place // 100 % 10, place % 100
        names = [FOLDERS[(a + b + place) % len(FOLDERS)] for place in range(2)]
        folder = root / f"{names[0]}-{a}" / f"{names[1].title()} {a}{b}" / f"{source.choice(FOLDERS)}{c:03d}"
        folder.mkdir(parents=True)
        handle = os.open(folder, os.O_RDONLY)
        for _ in range(100):
            touch(handle, f"{RARE}.txt" if number == needle else file_name(source, number))
            number += 1
        os.close(handle)


def file_name(source: random.Random, number: int) -> str:
    kind, ending = source.random(), source.choice(ENDINGS)
    if number % 2500 == 17:
        return f"{HUNDREDS} {number}.{ending}"
    if number % 40 == 3:
        return f"{source.choice(WORDS)}_{COMMON}_{number:06d}.{ending}"
    if kind < 0.25:
        return f"IMG_{number:07d}.{source.choice(('JPG', 'jpg', 'HEIC'))}"
    if kind < 0.5:
        return f"{source.choice(WORDS)}_{source.choice(WORDS)}_{number:06d}.{ending}"
    if kind < 0.75:
        year = source.randrange(1990, 2026)
        return f"{source.choice(WORDS).title()} {source.choice(WORDS)} {year}-{number}.{ending}"
    return f"{source.randrange(16**10):010x}-{number}.{ending}"


def make_photo(path: Path, number: int) -> None:
    """Soft shapes with some grain: about 4 MB, as a camera's picture of this size."""
    magick = tools.need("magick")
    subprocess.run(
        [
            magick, "-size", "4000x3000", "-seed", str(number), "plasma:", "-attenuate", "0.3",
            "+noise", "Gaussian", "-sampling-factor", "2x2", "-quality", "88", str(path),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
