#!/usr/bin/env python3
"""Gives whoever connects to a Unix socket an agent in this container: serve.py SOCKET

As `docker exec -i CONTAINER python3 -c BOOTSTRAP` would, for a tester that has no Docker: the
agent's program comes over the connection, then its requests.  Who may open the socket may run
what he likes here, so it is to be where only the tester's container sees it.
"""

import contextlib
import os
import socket
import subprocess
import sys

# The same as in conformance/target/agent_client.py, and as in docs/agent.md.
BOOTSTRAP = (
    "import os\n"
    "def r(n,s=b''):\n"
    " while len(s)<n:s+=os.read(0,n-len(s))or exit(1)\n"
    " return s\n"
    "exec(compile(r(int(r(8))),'agent.py','exec'))"
)


def main(path: str) -> None:
    new = path + ".new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(new)
    os.chmod(new, 0o666)
    listener.listen()
    # Not before it is listened on: that it is there is the sign that all is ready.
    os.rename(new, path)
    while True:
        connection, _ = listener.accept()
        # Popen also lets go of those that have ended since.
        subprocess.Popen([sys.executable, "-c", BOOTSTRAP], stdin=connection, stdout=connection)
        connection.close()


if __name__ == "__main__":
    main(sys.argv[1])
