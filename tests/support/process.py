"""Child processes that end with their parent, free ports, waiting. Used by all other modules here."""

import ctypes
import os
import pwd
import random
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

_given = set()
ROOT = Path(__file__).resolve().parents[2]


class Unavailable(Exception):
    """A server that a test needs cannot be had on this machine; the text says which and why."""


def free_port():
    """A TCP port on loopback that nobody listens on, below the range that outgoing connections use. It is bound later: so none is
    given twice, and the workers of one run have ports of their own."""
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0) % 8
    while True:
        port = random.randrange(20000 + worker, 32000, 8)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def patience():
    """How much longer than on an idle machine things may take now: the load per core, between 1 and 10."""
    return min(10.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


def wait_until(condition, timeout, what, interval=0.05):
    """The first true value of condition(); TimeoutError naming `what` after `timeout` seconds (more on a busy machine)."""
    deadline = time.monotonic() + timeout * patience()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout} s for {what}")
        time.sleep(interval)


def can_connect(port, host="127.0.0.1"):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Process:
    """One child in its own process group, its output appended to a file."""

    def __init__(self, arguments, log, detached=False, user=None, environment=None, cwd=None):
        self.log = Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        identity = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
        with open(self.log, "ab") as output:
            self._child = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=cwd,
                env={**os.environ, **(environment or {})},
                preexec_fn=None if detached else _die_with_parent,
                **identity,
            )
        self.pid = self._child.pid

    @property
    def running(self):
        return self._child.poll() is None

    @property
    def exit_code(self):
        return self._child.poll()

    def wait(self, timeout=30):
        return self._child.wait(timeout)

    def send(self, number):
        if self.running:
            self._child.send_signal(number)

    def stop(self, number=signal.SIGTERM, timeout=30):
        """Asks it to end, kills it after `timeout`; the exit code."""
        self.send(number)
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        self.send(signal.SIGKILL)
        return self._child.wait(10)

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def tail(path, lines=30):
    path = Path(path)
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else "(no log)"
