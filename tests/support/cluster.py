"""A throw-away PostgreSQL for the C++ tests: `cluster.py start FOLDER` prints its connection string, `cluster.py stop FOLDER` ends it."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.postgres import Postgres  # noqa: E402
from support.process import Unavailable  # noqa: E402


def start(folder):
    stop(folder)
    server = Postgres(folder, durable=False, detached=True)
    try:
        server.start()
    except Unavailable as missing:
        sys.exit(str(missing))
    (folder / "pid").write_text(f"{server.process.pid}\n{server.data}\n")
    print(server.dsn("postgres"))


def stop(folder):
    note = folder / "pid"
    if note.exists():
        pid, data = note.read_text().splitlines()
        # Only if it is still that server and not somebody who got its number.
        if (Path(data) / "postmaster.pid").exists() and Path(f"/proc/{pid}").exists():
            os.kill(int(pid), signal.SIGQUIT)
            while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
                time.sleep(0.05)
        shutil.rmtree(data, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    {"start": start, "stop": stop}[sys.argv[1]](Path(sys.argv[2]).resolve())
