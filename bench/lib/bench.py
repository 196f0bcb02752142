"""One run of the harness: what every workload is given."""

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

from . import contestants
from .data import Data
from .lanthorn import Lanthorn


@dataclass
class Bench:
    binary: Path
    data: Data
    scratch: Path
    rounds: int
    quick: bool
    made: int = field(default=0, init=False)

    def fresh(self, name: str) -> Path:
        """A new empty folder."""
        self.made += 1
        folder = self.scratch / f"{name}-{self.made}"
        folder.mkdir()
        return folder

    @contextmanager
    def servers(self, root: Path, *, peers: tuple[str, ...] = contestants.NAMES) -> Iterator[dict]:
        """Lanthorn and the installed peers, all serving `root`, ended afterwards."""
        with ExitStack() as stack:
            running = {}
            for name in ("lanthorn", *peers):
                server = self.start(name, root)
                if server:
                    stack.callback(server.stop)
                    running[name] = server
            yield running

    def start(self, name: str, root: Path):
        """Starts one server, or gives None if it is not installed."""
        if name == "lanthorn":
            server = Lanthorn(self.binary, self.fresh("lanthorn"))
            try:
                server.set_up(root)
            except BaseException:
                server.stop()
                raise
            return server
        return contestants.start(name, root, self.fresh(name), self.data.certificate)
