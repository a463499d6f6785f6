"""steward-host beside a real Synapse: its environments made by pip, its file, its socket; Synapse lives as its daemon then."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import requests
import yaml

from .process import Process, Unavailable, tail, wait_until
from .steward import program


def environment(folder, version, source):
    """A virtual environment with that release: a copy of `source` (its interpreter), the release itself by pip."""
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(Path(source).resolve(), folder, symlinks=True)
    done = subprocess.run(
        [folder / "bin/python", "-m", "pip", "install", "--quiet", "--no-deps", f"matrix-synapse=={version}"], capture_output=True, text=True
    )
    if done.returncode:
        raise Unavailable(f"pip cannot install Synapse {version}: {done.stderr[-300:]}")
    return folder


class Host:
    """One steward-host for one Synapse, started through `link`; ask() speaks its protocol."""

    def __init__(self, folder, synapse, current):
        self.folder = Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o755)
        self.synapse = synapse
        self.link = self.folder / "env"
        self.link.symlink_to(current)
        self.pid_file = synapse.folder / "homeserver.pid"
        self.socket_path = self.folder / "host.sock"
        self.process = None
        python = self.link / "bin/python"
        self.settings = {
            "socket": str(self.socket_path), "allow": str(os.geteuid()), "log": str(self.folder / "host.log"),
            "state": str(self.folder / "state"), "synapse_url": synapse.url, "process": str(synapse.config_path),
            "stop_every": "1s", "window": "5m", "start_limit": "3s", "dumps": str(self.folder / "dumps"),
            "actions": {
                "stop": ["/sbin/start-stop-daemon", "--stop", "--oknodo", "--retry", "60", "--pidfile", str(self.pid_file)],
                "start": [str(python), "-m", "synapse.app.homeserver", "-c", str(synapse.config_path), "-D"],
                "disk": ["/bin/df", "-B1", "--output=size,avail,target", str(self.folder)],
            },
            "upgrade": {
                "link": str(self.link), "environments": str(self.folder / "environments"),
                "create": ["/bin/cp", "-alT", str(current), "{environment}"],  # pip replaces files, it does not write into them
                "install": ["{environment}/bin/python", "-m", "pip", "install", "--quiet", "--no-deps", "matrix-synapse=={version}"],
            },
            "environment": {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.folder)}
            | {name: value for name, value in os.environ.items() if name.startswith("PIP_")},
        }  # fmt: skip
        (self.folder / "dumps").mkdir()

    def dump(self, content=b"PGDMP\x01\x0e\x00" + bytes(2000)):
        """A file where dumps are looked for, with the head of pg_dump's custom format."""
        (self.folder / "dumps/synapse.dump").write_bytes(content)

    @property
    def log_path(self):
        return self.folder / "host.log"

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def start(self, **changed):
        self.settings.update(changed)
        path = self.folder / "host.yaml"
        path.write_text(yaml.safe_dump(self.settings))
        path.chmod(0o644)
        self.process = Process([program().parent / "steward-host", path], self.folder / "output.log")
        wait_until(self.socket_path.exists, 20, f"steward-host:\n{tail(self.folder / 'output.log')}")
        return self

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def restart(self, **changed):
        self.stop()
        return self.start(**changed)

    def ask(self, request, timeout=120):
        """(lines, ending) as steward-host gives them."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(timeout)
            peer.connect(str(self.socket_path))
            peer.sendall(request.encode() + b"\n")
            lines = peer.makefile().read().splitlines()
        return [line[4:] for line in lines[:-1]], lines[-1] if lines else ""

    def synapse_version(self):
        try:
            version = requests.get(self.synapse.url + "/_synapse/admin/v1/server_version", timeout=5).json()["server_version"]
            return version.split()[0]  # the branch follows where it runs from a checkout
        except requests.RequestException:
            return None

    def close(self):
        """Ends steward-host and the daemon it started."""
        self.stop()
        if not self.pid_file.exists():
            return
        pid = int(self.pid_file.read_text())
        try:
            os.kill(pid, signal.SIGTERM)
            for _ in range(100):
                os.kill(pid, 0)
                time.sleep(0.1)
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
