"""Three machines on two wires, made of namespaces: a tester with a kernel address, a router, a target.

    tester 192.0.2.1 --- router 192.0.2.254 | 198.51.100.254 --- target 198.51.100.2

and 2001:db8:1:: and 2001:db8:2:: likewise.  `python lab.py COMMAND...` runs a command as the
tester, in a namespace of its own, while the lab is up; the target offers PORTS.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pyroute2.iproute.linux import IPRoute

from conformance.target.namespace import enter_namespace, new_namespace
from conformance.target.network import switch_offloads_off, sysctl_path

TESTER = {4: "192.0.2.1", 6: "2001:db8:1::1"}
SPARE = {4: "192.0.2.77", 6: "2001:db8:1::77"}
NEAR = {4: "192.0.2.254", 6: "2001:db8:1::fe"}
FAR = {4: "198.51.100.254", 6: "2001:db8:2::fe"}
TARGET = {4: "198.51.100.2", 6: "2001:db8:2::2"}
PREFIX = {4: 24, 6: 64}
PORTS = {"nginx": 80, "echo": 7, "discard": 9, "chargen": 19, "bare": 2000, "speaks": 2001, "python": 8000}
_NODAD = 0x02
_READY = 20.0

# As in targets/netns/target.yaml: what a hundred connections at once would meet otherwise.
SYSCTL = {
    "net.ipv4.tcp_no_metrics_save": "1",
    "net.ipv4.tcp_invalid_ratelimit": "0",
    "net.ipv4.tcp_challenge_ack_limit": "2147483647",
    "net.ipv4.icmp_ratelimit": "0",
    "net.ipv4.tcp_max_syn_backlog": "8192",
    "net.core.somaxconn": "8192",
}

NGINX = """\
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log;
user root;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_timeout 3s; client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    server {{ listen 80 backlog=4096; listen [::]:80 backlog=4096; root {directory}/www; }}
}}
"""


def has_nginx() -> bool:
    return nginx() is not None


def nginx() -> str | None:
    return shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin")


@dataclass
class Lab:
    """The lab while it is up.  `router` and `target` are file descriptors of their namespaces."""

    directory: Path
    router: int = -1
    target: int = -1
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run_in(self, namespace: int, *command: str) -> str:
        """Run a command in the router or the target; return what it writes."""
        with inside(namespace):
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def start_in(self, namespace: int, *command: str) -> None:
        with inside(namespace):
            self.children.append(subprocess.Popen(command))

    def unplug(self) -> None:
        """Cut the wire between the router and the target."""
        with inside(self.router), IPRoute() as route:
            route.link("set", index=socket.if_nametoindex("far"), state="down")


@contextlib.contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Let this thread be in another network namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    _setns(namespace)
    try:
        yield
    finally:
        _setns(home)
        os.close(home)


def _setns(namespace: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def lab(directory: Path, *, served: bool = True) -> Iterator[Lab]:
    """Make the lab, in a new namespace of this process, and end all of it afterwards."""
    enter_namespace()
    made = Lab(directory)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    with new_namespace():
        made.router = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _wire(home, "near")
        for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            sysctl_path(name).write_text("1")
    with new_namespace():
        made.target = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        for name, value in SYSCTL.items():
            if sysctl_path(name).exists():
                sysctl_path(name).write_text(value)
        _wire(made.router, "eth0", peer="far")
        _up("eth0", TARGET, FAR)
    with inside(made.router):
        _up("near", NEAR)
        _up("far", FAR)
    _up("eth0", TESTER, NEAR)
    try:
        if served:
            _serve(made)
        yield made
    finally:
        for child in made.children:
            child.send_signal(signal.SIGTERM)
        for child in made.children:
            child.wait(10)


def _wire(other: int, name: str, peer: str = "eth0") -> None:
    with IPRoute() as route:
        end = {"ifname": peer, "net_ns_fd": other}
        route.link("add", kind="veth", ifname=name, peer=end)


def _up(name: str, addresses: dict[int, str], gateway: dict[int, str] | None = None) -> None:
    switch_offloads_off(name)
    index = socket.if_nametoindex(name)
    with IPRoute() as route:
        for each in (socket.if_nametoindex("lo"), index):
            route.link("set", index=each, state="up")
        for family, address in addresses.items():
            flags = {"flags": _NODAD} if family == 6 else {}
            route.addr("add", index=index, address=address, prefixlen=PREFIX[family], **flags)
        for family, address in (gateway or {}).items():
            destination = "0.0.0.0/0" if family == 4 else "::/0"
            route.route("add", dst=destination, gateway=address, family=_FAMILY[family])


_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}


def _serve(made: Lab) -> None:
    """Start the services, and wait until each takes connections, over both IP versions."""
    www = made.directory / "www"
    www.mkdir()
    (www / "index.html").write_text("It works.\n")
    (www / "large").write_bytes(bytes(range(97, 123)) * 4000)
    ports = dict(PORTS)
    made.start_in(made.target, sys.executable, __file__, "--serve", str(www))
    program = nginx()
    if program is None:
        del ports["nginx"]
    else:
        configuration = made.directory / "nginx.conf"
        configuration.write_text(NGINX.format(directory=made.directory))
        made.start_in(made.target, program, "-c", str(configuration), "-p", str(made.directory))
    end = time.monotonic() + _READY
    for address in TARGET.values():
        for port in ports.values():
            while True:
                try:
                    socket.create_connection((address, port), 1).close()
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise


# -- the services -----------------------------------------------------------------------
def _echo(connection: socket.socket) -> None:
    while data := connection.recv(65536):
        connection.sendall(data)


def _discard(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def _chargen(connection: socket.socket) -> None:
    while True:
        connection.sendall(bytes(range(32, 127)))


def _bare(connection: socket.socket) -> None:
    """Take the connection, and leave it alone."""
    threading.Event().wait(3600)


def _speak(connection: socket.socket) -> None:
    connection.sendall(b"220 ready\r\n")
    _discard(connection)


_SERVICES: dict[str, Callable[[socket.socket], None]] = {
    "echo": _echo,
    "discard": _discard,
    "chargen": _chargen,
    "bare": _bare,
    "speaks": _speak,
}


def _attend(connection: socket.socket, service: Callable[[socket.socket], None]) -> None:
    with contextlib.suppress(OSError), connection:
        service(connection)


def _listen(name: str) -> None:
    listener = socket.create_server(
        ("", PORTS[name]), family=socket.AF_INET6, backlog=4096, dualstack_ipv6=True
    )
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_attend, args=(connection, _SERVICES[name]), daemon=True).start()


def serve(directory: str) -> None:
    """Offer the services of PORTS that are made of Python, for ever."""
    import functools
    import http.server

    threading.stack_size(128 << 10)
    for name in _SERVICES:
        threading.Thread(target=_listen, args=(name,), daemon=True).start()

    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6
        request_queue_size = 4096

        def server_bind(self) -> None:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            super().server_bind()

        def handle_error(self, *_: object) -> None:
            pass

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

    Server(("::", PORTS["python"]), functools.partial(Handler, directory=directory)).serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    else:
        import tempfile

        with tempfile.TemporaryDirectory() as place, lab(Path(place)) as up:
            code = subprocess.run(sys.argv[1:], check=False).returncode
        sys.exit(code)
