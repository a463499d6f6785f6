"""A real Synapse on loopback: configuration, start and stop, users, plain calls to its API, what lies on its disk."""

import base64
import hashlib
import hmac
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import requests
import yaml

from .postgres import PASSWORD
from .process import ROOT, Process, Unavailable, free_port, tail, wait_until

# Rows that name a room and are not the room's: Synapse's streams and evidence, which a purge leaves and the bot must leave.
NOT_THE_ROOMS = {
    "current_state_delta_stream", "timeline_gaps", "room_tags_revisions", "device_lists_changes_in_room", "blocked_rooms",
    "device_lists_changes_converted_stream_position", "event_reports", "room_reports", "room_ban_redactions",
}  # fmt: skip

UNLIMITED = {"per_second": 10000, "burst_count": 10000}


@dataclass
class User:
    """An account on a Synapse; `token` belongs to a device of its own."""

    user_id: str
    password: str
    token: str
    device_id: str = ""

    @property
    def localpart(self):
        return self.user_id[1:].split(":", 1)[0]


class ApiError(Exception):
    """An answer that is not 2xx; `code` is the Matrix errcode."""

    def __init__(self, response):
        self.status = response.status_code
        try:
            body = response.json()
        except ValueError:
            body = {}
        self.code = body.get("errcode", "")
        super().__init__(f"{response.request.method} {response.request.path_url}: {self.status} {self.code} {body.get('error', '')}")


# The run against the oldest supported Synapse. What that one cannot do is skipped there, with the reason.
ON_OLDEST = os.environ.get("STEWARD_TEST_SYNAPSE") == "oldest"

# Before Synapse 1.126 (PR 18024) a purge forgot a room's unreferenced state groups; !clean-orphans takes those.
FORGOTTEN_BY_PURGE = {"state_groups", "state_groups_state", "state_group_edges"} if ON_OLDEST else set()


def interpreter(oldest=ON_OLDEST):
    """The Python that has Synapse installed: the newest or the oldest supported one."""
    if oldest:
        candidates = [ROOT / "build/venv-oldest/bin/python"]
    else:
        candidates = [ROOT / "build/venv/bin/python", Path(sys.executable)]
    for candidate in candidates:
        if candidate.exists() and subprocess.run([candidate, "-I", "-c", "import synapse"], capture_output=True).returncode == 0:
            return candidate
    raise Unavailable("no Synapse is installed (scripts/install-dependencies makes build/venv; --oldest the oldest one)")


class Synapse:
    """One homeserver in one folder and one database. Call configure() (or start(), which does), then start()."""

    def __init__(self, folder, postgres, database, server_name="hs.test", port=None, federation_port=None,
                 settings=None, os_user=None, oldest=ON_OLDEST, detached=False):  # fmt: skip
        self.folder = Path(folder)
        self.postgres = postgres
        self.database = database
        self.port = port or free_port()
        self.federation_port = federation_port
        self.server_name = server_name
        self.settings = settings or {}
        self.os_user = os_user
        self.detached = detached
        self.python = interpreter(oldest)
        self.shared_secret = "shared-" + secrets.token_hex(16)
        self.registrations = []
        self.process = None
        self.users = {}
        self._session = requests.Session()

    @classmethod
    def federating(cls, folder, postgres, database, **how):
        """A server that others on this machine can federate with; its name is localhost and its TLS port."""
        port = free_port()
        settings = {
            "federation_verify_certificates": False,
            "ip_range_blacklist": [],
            "federation_ip_range_blacklist": [],
            **how.pop("settings", {}),
        }
        return cls(folder, postgres, database, server_name=f"localhost:{port}", federation_port=port, settings=settings, **how)

    # Files.

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def config_path(self):
        return self.folder / "homeserver.yaml"

    @property
    def log_path(self):
        return self.folder / "homeserver.log"

    @property
    def media_path(self):
        return self.folder / "media"

    def config(self):
        """The whole homeserver.yaml as a mapping."""
        listeners = [{
            "port": self.port, "bind_addresses": ["127.0.0.1"], "type": "http", "tls": False, "x_forwarded": True,
            "resources": [{"names": ["client", "federation"], "compress": False}],
        }]  # fmt: skip
        config = {
            "server_name": self.server_name,
            "listeners": listeners,
            "database": {"name": "psycopg2", "args": {
                "user": "synapse", "password": PASSWORD, "dbname": self.database, "host": "127.0.0.1",
                "port": self.postgres.port, "cp_min": 2, "cp_max": 10,
            }},
            "registration_shared_secret": self.shared_secret,
            "signing_key_path": str(self.folder / "signing.key"),
            "macaroon_secret_key": "macaroon-of-a-test",
            "media_store_path": str(self.media_path),
            "log_config": str(self.folder / "log.yaml"),
            "pid_file": str(self.folder / "homeserver.pid"),
            "app_service_config_files": [str(path) for path in self.registrations],
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "report_stats": False,
            "bcrypt_rounds": 4,
            "presence": {"enabled": False},
            "background_updates": {"sleep_enabled": False},
            "max_upload_size": "50M",
            "rc_message": UNLIMITED,
            "rc_registration": UNLIMITED,
            "rc_room_creation": UNLIMITED,
            "rc_admin_redaction": UNLIMITED,
            "rc_login": {"address": UNLIMITED, "account": UNLIMITED, "failed_attempts": UNLIMITED},
            "rc_joins": {"local": UNLIMITED, "remote": UNLIMITED},
            "rc_joins_per_room": UNLIMITED,
            "rc_invites": {"per_room": UNLIMITED, "per_user": UNLIMITED, "per_issuer": UNLIMITED},
            "rc_federation": {"window_size": 1000, "sleep_limit": 1000, "sleep_delay": 1, "reject_limit": 10000, "concurrent": 100},
        }  # fmt: skip
        if self.federation_port:
            self._certificate()
            listeners.append({
                "port": self.federation_port, "bind_addresses": ["127.0.0.1"], "type": "http", "tls": True,
                "resources": [{"names": ["federation"]}],
            })  # fmt: skip
            config["tls_certificate_path"] = str(self.folder / "tls.crt")
            config["tls_private_key_path"] = str(self.folder / "tls.key")
        config.update(self.settings)
        return config

    def configure(self):
        """Writes homeserver.yaml, the log configuration and a signing key (the key only once)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.media_path.mkdir(exist_ok=True)
        key = self.folder / "signing.key"
        if not key.exists():
            key.write_text("ed25519 a_test " + base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=") + "\n")
        (self.folder / "log.yaml").write_text(yaml.safe_dump({
            "version": 1,
            "formatters": {"line": {"format": "%(asctime)s %(name)s %(levelname)s %(message)s"}},
            "handlers": {"file": {"class": "logging.FileHandler", "filename": str(self.log_path), "formatter": "line"}},
            "loggers": {"synapse.storage.SQL": {"level": "WARNING"}},
            "root": {"level": "INFO", "handlers": ["file"]},
            "disable_existing_loggers": False,
        }))  # fmt: skip
        self.write_config(self.config())
        if self.os_user:
            for path in [self.folder, *self.folder.rglob("*")]:
                shutil.chown(path, self.os_user, pwd.getpwnam(self.os_user).pw_gid)
        return self

    def write_config(self, config):
        self.config_path.write_text(yaml.safe_dump(config, sort_keys=False))
        self.config_path.chmod(0o640)

    def add_registration(self, path):
        """What an admin does after `steward setup`: names the file in homeserver.yaml. Takes effect at the next start."""
        if Path(path) not in self.registrations:
            self.registrations.append(Path(path))
        config = yaml.safe_load(self.config_path.read_text())
        config["app_service_config_files"] = [str(registration) for registration in self.registrations]
        self.write_config(config)

    def _certificate(self):
        if (self.folder / "tls.crt").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", self.folder / "tls.key", "-out", self.folder / "tls.crt"],
            check=True, capture_output=True,
        )  # fmt: skip

    # Life.

    def start(self, wait=True, more_config=()):
        """Starts it; the first start on an empty database makes the schema. `more_config`: further -c arguments (conf.d)."""
        if not self.config_path.exists():
            self.configure()
        if not self.postgres.exists(self.database):
            self.postgres.create_role("synapse")
            self.postgres.create(self.database, owner="synapse")
        arguments = [self.python, "-m", "synapse.app.homeserver"]
        for path in (self.config_path, *more_config):
            arguments += ["-c", path]
        self.process = Process(
            arguments, self.folder / "output.log", self.detached, self.os_user, {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT / "tests")}, cwd=self.folder
        )
        if wait:
            self.wait_healthy()
        return self

    def wait_healthy(self, timeout=90):
        def healthy():
            if not self.process.running:
                raise RuntimeError(f"Synapse ended at start:\n{tail(self.folder / 'output.log')}\n{tail(self.log_path)}")
            try:
                return self._session.get(self.url + "/health", timeout=30).status_code == 200
            except requests.RequestException:
                return False

        wait_until(healthy, timeout, "Synapse's health endpoint", 0.1)

    def wait_background_updates(self, timeout=120):
        """Cleaning refuses while one is pending, so a test server waits for the last one."""
        wait_until(
            lambda: self.sql_value("SELECT count(*) FROM background_updates") == 0, timeout, "Synapse's background updates", 0.3
        )

    @property
    def running(self):
        return self.process is not None and self.process.running

    def stop(self):
        if self.process:
            self.process.send(signal.SIGCONT)
            try:
                self.process.stop(timeout=20)
            except subprocess.TimeoutExpired:
                pass
            self.process = None

    def kill(self):
        if self.process:
            self.process.kill()
            self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def freeze(self):
        """Connections are accepted by the kernel, no answer ever comes: a server that hangs."""
        self.process.send(signal.SIGSTOP)

    def thaw(self):
        self.process.send(signal.SIGCONT)

    # Calls.

    def request(self, method, path, body=None, token=None, timeout=200, **parameters):
        """One API call; the parsed answer, ApiError when it is not 2xx. `token` may be a User."""
        token = token.token if isinstance(token, User) else token
        response = self._session.request(
            method, self.url + path, json=body, params=parameters, timeout=timeout,
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )  # fmt: skip
        if not response.ok:
            raise ApiError(response)
        return response.json()

    def client(self, method, path, body=None, token=None, **parameters):
        return self.request(method, "/_matrix/client/v3" + path, body, token, **parameters)

    def admin(self, method, path, body=None, token=None, **parameters):
        """A call of the admin API, as the harness's own server admin unless told otherwise."""
        return self.request(method, "/_synapse/admin" + path, body, token or self.root, **parameters)

    @property
    def root(self):
        """A server admin that belongs to the harness, made when first needed."""
        return self.users.get("harness") or self.register("harness", admin=True)

    def register(self, localpart, admin=False, password=None, displayname=None):
        """A user through the shared secret; known afterwards as users[localpart]."""
        if localpart in self.users:
            return self.users[localpart]
        password = password or f"password-of-{localpart}"
        nonce = self.request("GET", "/_synapse/admin/v1/register")["nonce"]
        text = "\0".join([nonce, localpart, password, "admin" if admin else "notadmin"])
        mac = hmac.new(self.shared_secret.encode(), text.encode(), hashlib.sha1).hexdigest()
        answer = self.request("POST", "/_synapse/admin/v1/register", {
            "nonce": nonce, "username": localpart, "password": password, "admin": admin, "mac": mac,
            "displayname": displayname or localpart,
        })  # fmt: skip
        user = User(answer["user_id"], password, answer["access_token"], answer.get("device_id", ""))
        self.users[localpart] = user
        return user

    def login(self, localpart, password=None):
        """Another device of a user."""
        password = password or self.users[localpart].password
        answer = self.client("POST", "/login", {
            "type": "m.login.password", "identifier": {"type": "m.id.user", "user": localpart}, "password": password,
        })  # fmt: skip
        return User(answer["user_id"], password, answer["access_token"], answer["device_id"])

    # Rooms and media, as their users make them.

    def create_room(self, user, **content):
        return self.client("POST", "/createRoom", {"preset": "private_chat", **content}, user)["room_id"]

    def join(self, user, room, via=None):
        parameters = {"server_name": via, "via": via} if via else {}
        return self.client("POST", f"/join/{quote(room)}", {}, user, **parameters)["room_id"]

    def invite(self, user, room, other):
        self.client("POST", f"/rooms/{quote(room)}/invite", {"user_id": other.user_id if isinstance(other, User) else other}, user)

    def leave(self, user, room, forget=True):
        self.client("POST", f"/rooms/{quote(room)}/leave", {}, user)
        if forget:
            self.client("POST", f"/rooms/{quote(room)}/forget", {}, user)

    def send(self, user, room, content, kind="m.room.message", transaction=None):
        content = {"msgtype": "m.text", "body": content} if isinstance(content, str) else content
        transaction = transaction or secrets.token_hex(8)
        return self.client("PUT", f"/rooms/{quote(room)}/send/{kind}/{transaction}", content, user)["event_id"]

    def set_state(self, user, room, kind, content, state_key=""):
        return self.client("PUT", f"/rooms/{quote(room)}/state/{kind}/{quote(state_key)}", content, user)["event_id"]

    def upload(self, user, content, content_type="application/octet-stream", filename=None):
        """Uploads bytes; the media id on this server."""
        response = self._session.post(
            self.url + "/_matrix/media/v3/upload", data=content, params={"filename": filename} if filename else {},
            headers={"Authorization": f"Bearer {user.token}", "Content-Type": content_type}, timeout=200,
        )  # fmt: skip
        if not response.ok:
            raise ApiError(response)
        return response.json()["content_uri"].rsplit("/", 1)[1]

    def download(self, user, mxc):
        """The bytes behind an mxc:// address, as a client of that user gets them."""
        place = mxc.removeprefix("mxc://")
        for path in ("/_matrix/client/v1/media/download/", "/_matrix/media/v3/download/"):  # the first: since Synapse 1.111
            response = self._session.get(self.url + path + place, headers={"Authorization": f"Bearer {user.token}"}, timeout=60)
            if response.ok:
                return response.content
        raise ApiError(response)

    def delete_room(self, room, timeout=120):
        """The bare delete API and its status poll: what the bot is compared with."""
        delete_id = self.admin("DELETE", f"/v2/rooms/{quote(room)}", {"purge": True, "block": False})["delete_id"]

        def ended():
            status = self.admin("GET", f"/v2/rooms/delete_status/{delete_id}")["status"]
            return status if status in ("complete", "failed") else None

        return wait_until(ended, timeout, f"the deletion of {room}", 0.05)

    # Database and disk.

    def sql(self, statement, parameters=None):
        return self.postgres.query(self.database, statement, parameters)

    def sql_value(self, statement, parameters=None):
        return self.postgres.value(self.database, statement, parameters)

    def room_exists(self, room):
        return bool(self.sql("SELECT 1 FROM rooms WHERE room_id = %s", (room,)))

    def room_rows(self, room):
        """{table: rows} of everything that still names the room."""
        tables = self.sql(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'room_id'"
            " AND table_name IN (SELECT tablename FROM pg_tables WHERE schemaname = 'public')"
        )
        counts = {table: self.sql_value(f'SELECT count(*) FROM "{table}" WHERE room_id = %s', (room,)) for (table,) in tables}
        return {table: count for table, count in counts.items() if count}

    def leftovers(self, room):
        """What a complete deletion of the room must not leave: {table: rows}."""
        return {table: count for table, count in self.room_rows(room).items() if table not in {*NOT_THE_ROOMS, *FORGOTTEN_BY_PURGE}}

    def media_files(self):
        """(number, bytes) of every file below the media folder, thumbnails too."""
        sizes = [path.stat().st_size for path in self.media_path.rglob("*") if path.is_file()]
        return len(sizes), sum(sizes)

    def local_media_file(self, media_id):
        return self.media_path / "local_content" / media_id[0:2] / media_id[2:4] / media_id[4:]
