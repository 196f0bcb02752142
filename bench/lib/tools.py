"""Which programs are here, under which names, in which versions."""

import os
import re
import shutil
import subprocess
from pathlib import Path

# Name, and what it is called on systems that renamed it.
NAMES = {"fd": ("fd", "fdfind"), "magick": ("magick", "convert")}
VERSIONS = {"nginx": "-v", "ssh": "-V", "caddy": "version", "openssl": "version", "wrk": "-v"}
PEERS = ("nginx", "caddy", "dufs", "miniserve", "copyparty", "plocate", "updatedb", "fd", "vipsthumbnail", "rsync", "ssh")
CLIENTS = ("curl", "wrk", "openssl")


def find(name: str) -> str | None:
    """The program's path, also where cargo puts programs and in /usr/sbin."""
    more = os.pathsep.join([os.environ.get("PATH", ""), os.path.expanduser("~/.cargo/bin"), "/usr/sbin", "/sbin"])
    return next((found for called in NAMES.get(name, (name,)) if (found := shutil.which(called, path=more))), None)


def need(name: str) -> str:
    """The path of a program that a workload cannot do without."""
    found = find(name)
    if not found:
        raise SystemExit(f"'{name}' is needed for this measurement and is not installed")
    return found


def version(path: str, flag: str) -> str:
    answer = subprocess.run([path, flag], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    number = re.search(r"\d+\.\d+[\w.]*", answer.stdout + answer.stderr)
    return number.group(0) if number else "?"


def describe(binary: Path) -> str:
    known, missing = [f"lanthorn {version(str(binary), '--version')}"], []
    for name in PEERS + CLIENTS:
        if path := find(name):
            known.append(f"{name} {version(path, VERSIONS.get(name, '--version'))}")
        else:
            missing.append(name)
    left_out = f" Not installed, left out: {', '.join(missing)}." if missing else ""
    return f"\nVersions: {', '.join(known)}.{left_out}\n"


def release_binary(repository: Path) -> Path:
    target = Path(os.environ.get("CARGO_TARGET_DIR", repository / "target"))
    return target / "release" / "lanthorn"
