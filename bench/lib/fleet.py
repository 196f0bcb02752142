"""Several machines of one coordinator: started, paired as people pair them, and waited for."""

import re
import subprocess
import time
from contextlib import ExitStack

from .bench import Bench
from .http import Answer, Client
from .lanthorn import Lanthorn

PATIENCE = 60


def start(bench: Bench, stack: ExitStack, root, *flags: str) -> Lanthorn:
    server = Lanthorn(bench.binary, bench.fresh("machine"), flags=flags)
    stack.callback(server.stop)
    server.set_up(root)
    return server


def pair(bench: Bench, machine: Lanthorn, coordinator: Lanthorn) -> None:
    """The machine asks to join, again where it was told to wait, and the owner types its code."""
    places = {name: str(machine.home / name) for name in ("settings", "state", "cache")}
    command = [
        str(bench.binary), "pair", f"127.0.0.1:{coordinator.port}",
        "--settings-dir", places["settings"], "--state-dir", places["state"], "--cache-dir", places["cache"],
    ]  # fmt: skip
    deadline = time.monotonic() + PATIENCE
    while seconds := join(command, machine, coordinator):
        if time.monotonic() > deadline:
            raise RuntimeError("the coordinator lets no more machines join")
        time.sleep(seconds)


def join(command: list[str], machine: Lanthorn, coordinator: Lanthorn) -> int:
    """One try; how many seconds to wait before the next, or 0 if the machine has joined."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    joining = subprocess.Popen(command, text=True, env={"HOME": str(machine.home)}, **pipes)
    try:
        printed = ""
        while "Ctrl-C" not in printed:
            line = joining.stdout.readline()
            if not line:
                said = joining.stderr.read()
                if wait := re.search(r"Wait (\d+) second", said):
                    return int(wait.group(1))
                raise RuntimeError(f"no code was printed: {printed}{said}")
            printed += line
        code = "".join(re.search(r"Code\s+([\d ]+)", printed).group(1).split())
        waiting = post(coordinator, "/api/v1/pairing/look", {"pairing_code": code}).json()
        wish = {"pairing_code": code, "pending_pairing_id": waiting["pending_pairing_id"]}
        post(coordinator, "/api/v1/pairing/confirm", wish)
        joining.stdout.read()
        if joining.wait(PATIENCE):
            raise RuntimeError("the machine did not join")
        return 0
    finally:
        joining.kill()
        joining.wait()


def post(coordinator: Lanthorn, path: str, body: dict):
    """Waits where the coordinator says that it was asked too often. Each time on a new connection: those that stay
    unused are ended."""
    while (answer := ask_once(coordinator, path, body)).status == 429:
        time.sleep(int(answer.headers["Retry-After"]))
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {answer.body[:300]!r}")
    return answer


def ask_once(coordinator: Lanthorn, path: str, body: dict) -> Answer:
    client = coordinator.client()
    try:
        return client.ask(path, method="POST", body=body, **coordinator.own_page())
    finally:
        client.close()


def wait_for_all(client: Client, devices: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        known = client.good("/api/v1/catalog/devices").json()["devices"]
        if sum(device["online"] for device in known) == devices + 1:
            return
        time.sleep(0.1)
    raise RuntimeError("not all machines came")
