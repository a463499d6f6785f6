"""A private PostgreSQL: its own folder, its own port on loopback, a password, nothing shared with the system's cluster."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import psycopg2.extensions

from .process import Process, Unavailable, can_connect, free_port, tail, wait_until

PASSWORD = "not-a-secret"


def _programs():
    """The folder with the newest initdb and postgres of version 14 or later."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda f: int(f.parent.name), reverse=True):
        if int(folder.parent.name) >= 14 and (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    raise Unavailable("no PostgreSQL server 14 or later is installed (scripts/install-dependencies installs one)")


def _server_user():
    """initdb refuses root: then the packaged user runs it; everybody else runs it as himself."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
            return name
        except KeyError:
            continue
    raise Unavailable("PostgreSQL refuses to run as root and there is no other user to run it")


def _reachable(folder, user):
    return user is None or all(parent.stat().st_mode & 0o001 for parent in folder.resolve().parents)


class Postgres:
    """start() makes the cluster when its folder is empty. Superuser `postgres`; databases in the C locale, as Synapse wants."""

    def __init__(self, folder, port=None, durable=True, detached=False):
        self.folder = Path(folder)
        self.port = port or free_port()
        self.durable = durable
        self.detached = detached
        self.process = None
        self._user = _server_user()
        self._programs = _programs()

    @property
    def data(self):
        """The data folder; elsewhere when the server's user could not reach it (a clone in root's home)."""
        link = self.folder / "data"
        return Path(os.readlink(link)) if link.is_symlink() else link

    def start(self):
        if not (self.data / "PG_VERSION").exists():
            self._create()
        arguments = [
            self._programs / "postgres", "-D", self.data, "-p", self.port,
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=400",
            "-c", "shared_buffers=64MB", "-c", "log_min_duration_statement=2000", "-c", "log_line_prefix=%m %p %a %d ",
        ]  # fmt: skip
        if not self.durable:
            arguments += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        self.process = Process(arguments, self.folder / "postgres.log", self.detached, self._user, cwd="/")
        wait_until(self._answers, 30, f"PostgreSQL; its log ends:\n{tail(self.folder / 'postgres.log')}")
        return self

    def _answers(self):
        if not self.process.running:
            raise RuntimeError(f"PostgreSQL ended at once:\n{tail(self.folder / 'postgres.log')}")
        if not can_connect(self.port):
            return False
        try:
            psycopg2.connect(self.dsn("postgres")).close()
            return True
        except psycopg2.OperationalError:
            return False

    def _create(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if not _reachable(self.folder, self._user):
            (self.folder / "data").symlink_to(tempfile.mkdtemp(prefix="steward-postgres-", dir="/var/tmp"))
        self.data.mkdir(exist_ok=True)
        password = self.data.parent / f".password-{self.port}"
        password.write_text(PASSWORD)
        if self._user:
            shutil.chown(self.data, self._user, self._user)
            shutil.chown(password, self._user)
        password.chmod(0o600)
        identity = {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}
        made = subprocess.run(
            [self._programs / "initdb", "-D", self.data, "-U", "postgres", "--locale=C", "--encoding=UTF8",
             "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"],
            capture_output=True, text=True, cwd="/", **identity,
        )  # fmt: skip
        password.unlink()
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr}")

    def stop(self, how="fast"):
        if self.process:
            self.process.stop(signal.SIGINT if how == "fast" else signal.SIGQUIT)
            self.process = None

    def restart(self, how="fast"):
        self.stop(how)
        return self.start()

    def remove(self):
        self.stop("immediate")
        if (self.folder / "data").is_symlink():
            shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    # Databases.

    def dsn(self, database, user="postgres", password=PASSWORD, port=None):
        return f"host=127.0.0.1 port={port or self.port} dbname={database} user={user} password={password}"

    def url(self, database, user="postgres", password=PASSWORD):
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def connect(self, database="postgres", **how):
        """A connection that commits every statement by itself."""
        connection = psycopg2.connect(self.dsn(database, **how))
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()

    def query(self, database, sql, parameters=None):
        """All rows of one statement; an empty list when it returns none."""
        with self.connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def value(self, database, sql, parameters=None):
        """The first column of the first row."""
        rows = self.query(database, sql, parameters)
        return rows[0][0] if rows else None

    def exists(self, database):
        return bool(self.query("postgres", "SELECT 1 FROM pg_database WHERE datname = %s", (database,)))

    def create_role(self, role, password=PASSWORD, options="LOGIN"):
        if not self.query("postgres", "SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)):
            self.query("postgres", f'CREATE ROLE "{role}" {options} PASSWORD %s', (password,))

    def create(self, database, owner="postgres", template="template0"):
        """A database; from `template` it is a copy of that one, which nobody may be connected to."""
        if template != "template0":
            self.disconnect(template)
        self.query("postgres", f'CREATE DATABASE "{database}" OWNER "{owner}" TEMPLATE "{template}"')

    def drop(self, database):
        self.query("postgres", f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def disconnect(self, database):
        self.query(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (database,),
        )

    def dump(self, database, schema, file):
        """One schema as SQL, as an admin's backup holds it."""
        self._run("pg_dump", "--schema", schema, "--clean", "--if-exists", "--file", file, "--dbname", self.url(database))

    def whole_dump(self, database):
        """All that a backup of the database would hold, as text."""
        return self._run("pg_dump", "--dbname", self.url(database))

    def restore(self, database, file):
        self._run("psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", file, "--dbname", self.url(database))

    def psql(self, database, *arguments, user="synapse", options=""):
        """psql as a person runs it, stopped by the first error; what it prints. `options`: settings of the session (PGOPTIONS)."""
        return self._run("psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", self.url(database, user), *arguments, options=options)

    def _run(self, program, *arguments, options=""):
        done = subprocess.run(
            [self._programs / program, *map(str, arguments)], capture_output=True, text=True, env={**os.environ, "PGOPTIONS": options}
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")
        return done.stdout

    def table_counts(self, database, schema="public"):
        """{table: rows}, exact; what a before/after comparison needs."""
        tables = self.query(
            database, "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", (schema,)
        )
        counts = {}
        with self.connect(database) as connection, connection.cursor() as cursor:
            for (table,) in tables:
                cursor.execute(f'SELECT count(*) FROM "{schema}"."{table}"')
                counts[table] = cursor.fetchone()[0]
        return counts

    def contents(self, database, schema="public"):
        """{table: a checksum of its rows}: for comparisons that no changed row escapes."""
        tables = self.query(database, "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", (schema,))
        return {
            table: self.value(database, f'SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{schema}"."{table}" t')
            for (table,) in tables
        }
