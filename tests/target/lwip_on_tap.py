"""lwIP on a TAP device in a namespace of its own, and this kernel's sockets: run by test_lwip_agent.py."""

import base64
import socket
import sys

from pyroute2.iproute.linux import IPRoute

from conformance.target.agent_client import AgentClient
from conformance.target.namespace import enter_namespace

KERNEL = {4: "192.0.2.1", 6: "2001:db8::1"}
LWIP = {4: "192.0.2.2", 6: "2001:db8::2"}
WINDOW = 65535
MANY = 300
_TIMEOUT = 10.0


def ask(client: AgentClient, op: str, **arguments: object) -> dict[str, object]:
    reply = client.call(op, arguments, _TIMEOUT)
    assert not reply.error, reply
    return dict(reply.ok)


def new_socket(family: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET)
    sock.settimeout(_TIMEOUT)
    return sock


def data_both_ways(client: AgentClient, family: int) -> None:
    listener = ask(client, "listen", family=family, address=LWIP[family])
    with new_socket(family) as peer:
        peer.connect((LWIP[family], listener["port"]))
        handle = ask(client, "accept", handle=listener["handle"])["handle"]
        peer.setblocking(False)
        sent = peer.send(bytes(2 * WINDOW))  # more than the window: it must open as this is received
        data = ask(client, "receive", handle=handle, count=sent, timeout=_TIMEOUT)["data"]
        assert base64.b64decode(str(data)) == bytes(sent)
        peer.settimeout(_TIMEOUT)
        client.request(1, "send", {"handle": handle, "size": 4 * WINDOW, "timeout": _TIMEOUT})
        left = 4 * WINDOW
        while left:
            left -= len(peer.recv(left))


def abort_is_a_reset(client: AgentClient, family: int) -> None:
    with new_socket(family) as server:
        server.bind((KERNEL[family], 0))
        server.listen()
        opened = ask(client, "connect", family=family, address=KERNEL[family], port=server.getsockname()[1])
        accepted, address = server.accept()
        assert address[:2] == (LWIP[family], opened["port"])
        ask(client, "close", handle=opened["handle"], how="abort")
        with accepted:
            try:
                accepted.recv(1)
            except ConnectionResetError:
                return
            raise AssertionError("no reset")


def many_at_once(client: AgentClient, family: int) -> None:
    listeners = [ask(client, "listen", family=family, address=LWIP[family]) for _ in range(MANY)]
    peers = [new_socket(family) for _ in range(MANY)]
    for peer, listener in zip(peers, listeners, strict=True):
        peer.connect((LWIP[family], listener["port"]))
        peer.sendall(b"hello")
    for peer, listener in zip(peers, listeners, strict=True):
        handle = ask(client, "accept", handle=listener["handle"])["handle"]
        assert ask(client, "receive", handle=handle, count=5)["data"] == base64.b64encode(b"hello").decode()
        peer.close()


def main(program: str, family: int) -> None:
    enter_namespace()
    with IPRoute() as route:
        route.link("add", ifname="tap0", kind="tuntap", mode="tap")
        index = socket.if_nametoindex("tap0")
        route.addr("add", index=index, address=KERNEL[4], prefixlen=24)
        route.addr("add", index=index, address=KERNEL[6], prefixlen=64, flags=2)  # without DAD
        route.link("set", index=index, state="up")
    addresses = ("--address", f"{LWIP[4]}/24", "--address", f"{LWIP[6]}/64")
    client = AgentClient([program, "--tap", "tap0", *addresses])
    for scenario in (data_both_ways, abort_is_a_reset, many_at_once):
        scenario(client, family)
    client.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
