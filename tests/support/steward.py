"""The program under test as its admin uses it: `steward setup`, `run`, `exec`, `check`; its files, its log, its death."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import yaml

from .postgres import PASSWORD
from .process import ROOT, Process, Unavailable, free_port, tail, wait_until


def program():
    """The built program: STEWARD_PROGRAM, else the release preset's."""
    path = Path(os.environ.get("STEWARD_PROGRAM", ROOT / "build/release/steward"))
    if not path.exists():
        raise Unavailable(f"{path.name} is not built (scripts/build release)")
    return path


class Steward:
    """One installation of the bot beside one Synapse, all its files in one folder."""

    def __init__(self, folder, synapse, admins=("@alice:hs.test",), port=None, detached=False):
        self.folder = Path(folder)
        self.synapse = synapse
        self.admins = list(admins)
        self.port = port or free_port()
        self.detached = detached
        self.program = program()
        self.process = None

    @property
    def config_path(self):
        return self.folder / "steward.yaml"

    @property
    def registration_path(self):
        return self.folder / "registration.yaml"

    @property
    def log_path(self):
        return self.folder / "steward.log"

    @property
    def user_id(self):
        return f"@steward:{self.synapse.server_name}"

    @property
    def registration(self):
        return yaml.safe_load(self.registration_path.read_text())

    @property
    def database_url(self):
        return self.synapse.postgres.url(self.synapse.database, "synapse", PASSWORD)

    # One-shot subcommands.

    def command(self, *arguments, timeout=400, check=False, environment=None):
        """Runs the program to its end; the CompletedProcess with both outputs as text."""
        done = subprocess.run(
            [self.program, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
            stdin=subprocess.DEVNULL, cwd=self.folder if self.folder.exists() else None, env={**os.environ, **(environment or {})},
        )  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(f"steward {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def setup(self, *more, check=True, timeout=400):
        """One run of `steward setup` against this Synapse's homeserver.yaml."""
        self.folder.mkdir(parents=True, exist_ok=True)
        arguments = [
            "setup", "--homeserver-yaml", self.synapse.config_path, "--config", self.config_path,
            "--registration", self.registration_path, "--bind", f"127.0.0.1:{self.port}",
            "--state-directory", self.folder / "state",
        ]  # fmt: skip
        for admin in self.admins:
            arguments += ["--admin", admin]
        return self.command(*arguments, *more, check=check, timeout=timeout)

    def install(self, *more):
        """Both stages, with the restart of Synapse between them, as the instructions say. Synapse runs afterwards."""
        first = self.setup(*more, "--no-wait")
        self.synapse.add_registration(self.registration_path)
        if self.synapse.running:
            self.synapse.restart()
        else:
            self.synapse.start()
        second = self.setup(*more)
        return first, second

    def exec(self, line, *more, check=False, timeout=400):
        return self.command("exec", "--config", self.config_path, *more, line, check=check, timeout=timeout)

    def exec_json(self, line, *more):
        return json.loads(self.exec(line, "--json", *more, check=True).stdout)

    def check(self):
        """The doctor's run, with Synapse's configuration at hand."""
        return self.command("check", "--config", self.config_path, "--homeserver-yaml", self.synapse.config_path)

    # The running bot.

    def start(self, wait=True, environment=None):
        self._log_start = len(self.log())
        self.process = Process(
            [self.program, "run", "--config", self.config_path], self.log_path, self.detached, environment=environment
        )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=30):
        """Until it says so and its endpoint answers. Says how the log ends when the bot ended instead."""

        def ready():
            if not self.process.running:
                raise RuntimeError(f"the bot ended with {self.process.exit_code}:\n{tail(self.log_path)}")
            return " ready: " in self.log()[self._log_start :] and self.answers()

        wait_until(ready, timeout, f"the bot to be ready; its log ends:\n{tail(self.log_path)}", 0.02)
        return self

    def answers(self):
        """True when the appservice endpoint answers a request without token as it must: with a refusal."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.settimeout(2)
                connection.sendall(b"GET /_matrix/app/v1/users/x HTTP/1.1\r\nHost: bot\r\nConnection: close\r\n\r\n")
                return connection.recv(64).startswith(b"HTTP/1.1 40")
        except OSError:
            return False

    @property
    def running(self):
        return self.process is not None and self.process.running

    def stop(self, timeout=30):
        """A graceful stop; the exit code."""
        if self.process:
            code = self.process.stop(signal.SIGTERM, timeout)
            self.process = None
            return code
        return None

    def kill(self):
        """kill -9: nothing can be tidied up."""
        if self.process:
            self.process.kill()
            self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def hang_up(self):
        """SIGHUP: read the configuration again."""
        self.process.send(signal.SIGHUP)

    # What it leaves behind.

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, text, timeout=30):
        return wait_until(lambda: text in self.log(), timeout, f"{text!r} in the bot's log:\n{tail(self.log_path)}")

    def config(self):
        return yaml.safe_load(self.config_path.read_text())

    def change_config(self, **sections):
        """Sets keys: change_config(safety={"max_level": 1}). Keeps the file's mode."""
        config = self.config()
        for section, values in sections.items():
            config.setdefault(section, {}).update(values)
        mode = self.config_path.stat().st_mode
        self.config_path.write_text(yaml.safe_dump(config, sort_keys=False))
        self.config_path.chmod(mode & 0o777)

    def use_database(self, name):
        """Points the bot at another database of the same server."""
        before = self.config()["database"]["synapse"]
        after = re.sub(r"dbname='?[^' ]+'?", f"dbname='{name}'", before)
        assert after != before, before
        self.change_config(database={"synapse": after})

    def sql(self, statement, parameters=None):
        """A statement over the bot's own schema (`steward`)."""
        return self.synapse.sql(statement, parameters)

    def memory(self):
        """Resident bytes of the running bot."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS line")

    def push(self, events, transaction=None, token=None, timeout=30):
        """A transaction as a homeserver sends it, or as somebody who stole the token; (status, parsed body)."""
        import requests

        transaction = transaction or f"forged-{time.monotonic_ns()}"
        answer = requests.put(
            f"http://127.0.0.1:{self.port}/_matrix/app/v1/transactions/{transaction}",
            data=events if isinstance(events, (bytes, str)) else json.dumps({"events": events}),
            headers={"Authorization": f"Bearer {token or self.registration['hs_token']}", "Content-Type": "application/json"},
            timeout=timeout,
        )  # fmt: skip
        try:
            return answer.status_code, answer.json()
        except ValueError:
            return answer.status_code, None
