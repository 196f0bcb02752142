"""The peers that take files over HTTP, each told to write into one folder."""

from pathlib import Path

from . import tools
from .contestants import Peer
from .processes import Process, free_port

NGINX = """
daemon off; pid {home}/pid; error_log {home}/error warn; worker_processes auto;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 0; client_body_buffer_size 1m;
  client_body_temp_path {root}/temp; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c;
  uwsgi_temp_path {home}/d; scgi_temp_path {home}/e;
  server {{ listen 127.0.0.1:{port}; root {root}; dav_methods PUT DELETE; }}
}}
"""


def nginx(program: str, root: Path, home: Path, port: int) -> list[str]:
    path = home / "config"
    user = "user root;" if Path.home() == Path("/root") else ""
    path.write_text(user + NGINX.format(home=home, root=root, port=port))
    return [program, "-p", str(home), "-c", str(path), "-e", str(home / "error")]


def dufs(program: str, root: Path, _home: Path, port: int) -> list[str]:
    return [program, "--bind", "127.0.0.1", "--log-format", "", "--allow-upload", "--port", str(port), str(root)]


def miniserve(program: str, root: Path, _home: Path, port: int) -> list[str]:
    return [program, "--interfaces", "127.0.0.1", "--upload-files", "--port", str(port), str(root)]


def copyparty(program: str, root: Path, _home: Path, port: int) -> list[str]:
    return [program, "-q", "-i", "127.0.0.1", "-p", str(port), "-v", f"{root}::rwmd", "--no-crt"]


COMMANDS = {"nginx": nginx, "dufs": dufs, "miniserve": miniserve, "copyparty": copyparty}


def start(name: str, root: Path, home: Path) -> Peer | None:
    """Starts a peer that takes files into `root`, or gives None if it is not installed."""
    program = tools.find(name)
    if not program:
        return None
    port = free_port()
    env = {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    process = Process(COMMANDS[name](program, root, home, port), home / "log", env)
    peer = Peer(name, {False: port}, (process,))
    try:
        peer.wait()
    except BaseException:
        peer.stop()
        raise
    return peer


def upload(peer: Peer, file: Path, name: str) -> list[str]:
    """The curl command, without its options, that sends a file under a name."""
    if peer.name == "miniserve":
        return ["-F", f"path=@{file};filename={name}", f"{peer.base()}/upload?path=/"]
    return ["-T", str(file), f"{peer.base()}/{name}"]
