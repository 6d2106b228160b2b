"""A warmed process without threads and connections that forks servers on request: a start takes milliseconds.

Forking a process that has threads would copy their locks in whatever state; so this one never has any.
"""

import json
import os
import random
import resource
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping

from tests.servers import die_with_parent

_WORD_BYTES = 200


class Zygote:
    """The lane's handle of it. `roles` are what a child may become; make it while the lane has one thread."""

    def __init__(self, roles: Mapping[str, Callable[[], None]]) -> None:
        self.cpu_seconds = 0.0
        self.line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            self.line.close()
            _live(theirs, roles)
        theirs.close()

    def start(self, role: str) -> None:
        """Ask for a child; its pid and its death are told on the line."""
        self.line.send(role.encode())

    def news(self) -> tuple[str, int, str]:
        """Return the next news: `born` or `dead`, pid, role. `cpu_seconds` is what the dead have used."""
        word = self.line.recv(_WORD_BYTES)
        if not word:
            raise EOFError("the zygote is gone")
        kind, pid, role, used = json.loads(word)
        self.cpu_seconds = used or self.cpu_seconds
        return kind, pid, role


def _live(line: socket.socket, roles: Mapping[str, Callable[[], None]]) -> None:
    """Fork until the lane hangs up or dies."""
    die_with_parent()
    children: dict[int, str] = {}
    hears, speaks = socket.socketpair()
    speaks.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(speaks.fileno())
    while True:
        ready, _, _ = select.select([line, hears], [], [])
        if hears in ready:
            hears.recv(_WORD_BYTES)
            _tell_deaths(line, children)
        if line in ready:
            role = line.recv(_WORD_BYTES).decode()
            if not role:
                os._exit(0)
            pid = os.fork()
            if pid == 0:
                _become(roles[role], line, hears, speaks)
            children[pid] = role
            line.send(json.dumps(("born", pid, role, 0.0)).encode())


def _tell_deaths(line: socket.socket, children: dict[int, str]) -> None:
    while children:
        pid, _ = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        line.send(json.dumps(("dead", pid, children.pop(pid), used.ru_utime + used.ru_stime)).encode())


def _become(act: Callable[[], None], *inherited: socket.socket) -> None:
    """Be a process of our own: nothing of the zygote's but its memory."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    die_with_parent()
    for each in inherited:
        each.close()
    random.seed()  # each child would draw the same numbers otherwise
    try:
        act()
    except BaseException:  # noqa: BLE001  (whatever it was, the zygote's code must not go on in the child)
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(1)
