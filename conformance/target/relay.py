"""Joins stdin and stdout with a Unix socket, until the other end closes it: relay.py SOCKET

Run as a program of its own, so that an agent at a socket is a child process as any other is.
"""

import os
import signal
import socket
import sys
import threading

_CHUNK = 1 << 16


def main(path: str) -> None:
    """Copy in both directions; exits with a message if nobody listens at `path`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the tester's, who then closes our stdin
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
        except OSError as error:
            sys.exit(f"{path}: {error.strerror}")
        threading.Thread(target=_up, args=(connection,), daemon=True).start()
        while octets := connection.recv(_CHUNK):
            sys.stdout.buffer.write(octets)
            sys.stdout.buffer.flush()


def _up(connection: socket.socket) -> None:
    while octets := os.read(0, _CHUNK):
        connection.sendall(octets)
    connection.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(sys.argv[1])
