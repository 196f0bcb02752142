"""The peers that serve files over HTTP, each with the configuration its manual suggests for this work."""

import time
from pathlib import Path

from . import tools
from .http import Client
from .processes import Process, free_port

NAMES = ("nginx", "caddy", "dufs", "miniserve")

NGINX = """
daemon off; pid {home}/pid; error_log {home}/error warn; worker_processes auto;
events {{ worker_connections 1024; }}
http {{
  include /etc/nginx/mime.types; access_log off; sendfile on; tcp_nopush on; keepalive_requests 10000000;
  client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c;
  uwsgi_temp_path {home}/d; scgi_temp_path {home}/e;
  server {{
    listen 127.0.0.1:{http}; listen 127.0.0.1:{https} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    root {root}; autoindex on; autoindex_format json;
  }}
}}
"""
CADDY = """
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{http} {{
  root * {root}
  file_server browse
}}
https://127.0.0.1:{https} {{
  tls {certificate} {key}
  root * {root}
  file_server browse
}}
"""


class Peer:
    """A running peer with a port for HTTP and one for HTTPS."""

    def __init__(self, name: str, ports: dict[bool, int], processes: tuple[Process, ...]):
        self.name, self.ports, self.processes = name, ports, processes

    def base(self, tls: bool = False) -> str:
        return f"http{'s' if tls else ''}://127.0.0.1:{self.ports[tls]}"

    def headers(self, tls: bool = False) -> dict[str, str]:
        return {}

    def file(self, path: str) -> str:
        return f"/{path}"

    def listing(self, path: str) -> tuple[str, dict[str, str]]:
        """The address of a folder as JSON (miniserve knows only HTML)."""
        return {
            "caddy": (f"/{path}/", {"Accept": "application/json"}),
            "dufs": (f"/{path}?json", {}),
        }.get(self.name, (f"/{path}/", {}))

    def wait(self, tls: bool = False) -> float:
        for _ in range(20_000):
            try:
                client = Client(self.base(tls), timeout=10)
                client.ask("/")
                client.close()
                return time.perf_counter()
            except OSError:
                if not all(process.is_running() for process in self.processes):
                    break
                time.sleep(0.0005)
        logs = "\n".join(process.log.read_text()[-1000:] for process in self.processes)
        raise RuntimeError(f"{self.name} does not answer:\n{logs}")

    def stop(self) -> None:
        for process in self.processes:
            process.stop()


def start(name: str, root: Path, home: Path, certificate: tuple[Path, Path], wait: bool = True) -> Peer | None:
    """Starts a peer that serves `root`, or gives None if it is not installed."""
    program = tools.find(name)
    if not program:
        return None
    ports = {False: free_port(), True: free_port()}
    commands = COMMANDS[name](program, root, home, ports, certificate)
    env = {"HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    peer = Peer(name, ports, tuple(Process(command, home / "log", env) for command in commands))
    if wait:
        try:
            peer.wait()
            peer.wait(True)
        except BaseException:
            peer.stop()
            raise
    return peer


def configured(text: str, root: Path, home: Path, ports: dict[bool, int], certificate: tuple[Path, Path]) -> Path:
    path = home / "config"
    filled = text.format(
        root=root, home=home, http=ports[False], https=ports[True], certificate=certificate[0], key=certificate[1]
    )
    path.write_text(filled)
    return path


def nginx(program: str, *rest) -> list[list[str]]:
    home = rest[1]
    # As root, nginx would give up the right to read the data.
    config = configured(("user root;" if Path.home() == Path("/root") else "") + NGINX, *rest)
    return [[program, "-p", str(home), "-c", str(config), "-e", str(home / "error")]]


def caddy(program: str, *rest) -> list[list[str]]:
    return [[program, "run", "--adapter", "caddyfile", "--config", str(configured(CADDY, *rest))]]


def dufs(program: str, root: Path, _home: Path, ports: dict[bool, int], certificate) -> list[list[str]]:
    common = [program, "--bind", "127.0.0.1", "--log-format", ""]
    secure = ["--tls-cert", str(certificate[0]), "--tls-key", str(certificate[1])]
    return [[*common, "--port", str(ports[False]), str(root)], [*common, *secure, "--port", str(ports[True]), str(root)]]


def miniserve(program: str, root: Path, _home: Path, ports: dict[bool, int], certificate) -> list[list[str]]:
    common = [program, "--interfaces", "127.0.0.1"]
    secure = ["--tls-cert", str(certificate[0]), "--tls-key", str(certificate[1])]
    return [[*common, "--port", str(ports[False]), str(root)], [*common, *secure, "--port", str(ports[True]), str(root)]]


COMMANDS = {"nginx": nginx, "caddy": caddy, "dufs": dufs, "miniserve": miniserve}
