"""A real pgbouncer in transaction mode in front of a test's PostgreSQL: what many homeservers have, and what must be refused."""

import shutil
import tempfile
from pathlib import Path

from .postgres import PASSWORD, _reachable, _server_user
from .process import Process, Unavailable, can_connect, free_port, tail, wait_until


class PgBouncer:
    def __init__(self, folder, postgres, mode="transaction"):
        self.folder = Path(folder)
        self.postgres = postgres
        self.mode = mode
        self.port = free_port()
        self.program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if not self.program:
            raise Unavailable("pgbouncer is not installed (scripts/install-dependencies installs it)")

    def start(self):
        user = _server_user()
        if not _reachable(self.folder, user):
            self.folder = Path(tempfile.mkdtemp(prefix="steward-pgbouncer-", dir="/var/tmp"))
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "users.txt").write_text("".join(f'"{name}" "{PASSWORD}"\n' for name in ("synapse", "postgres")))
        config = self.folder / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n* = host=127.0.0.1 port={self.postgres.port}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {self.port}\nunix_socket_dir =\npool_mode = {self.mode}\nauth_type = plain\n"
            f"auth_file = {self.folder / 'users.txt'}\nignore_startup_parameters = extra_float_digits,options\n"
        )
        if user:
            for path in (self.folder, *self.folder.iterdir()):
                shutil.chown(path, user)
        self.process = Process([self.program, config], self.folder / "pgbouncer.log", user=user, cwd="/")
        wait_until(lambda: can_connect(self.port), 10, f"pgbouncer: {tail(self.folder / 'pgbouncer.log')}")
        return self

    def stop(self):
        self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
