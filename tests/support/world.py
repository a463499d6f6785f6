"""A whole installation for a test: a Synapse on a copy of a prepared database, the bot set up by its own setup, admins in the room."""

import shutil
from pathlib import Path

from .client import Admin
from .fill import Filler
from .host import Host
from .postgres import PASSWORD
from .steward import Steward
from .synapse import Synapse, User, interpreter

PEOPLE = ("alice", "bob", "carol", "dave", "eve")
LIVE_ROOMS = 60


class Template:
    """A prepared homeserver that worlds are copied from: five people, some living rooms, no background update left."""

    def __init__(self, folder, postgres):
        self.folder = Path(folder)
        self.postgres = postgres
        self.synapse = Synapse(self.folder, postgres, "template_world")

    def prepare(self):
        self.synapse.start()
        for person in PEOPLE:
            self.synapse.register(person)
        self.synapse.register("harness", admin=True)
        filler = Filler(self.synapse)
        users = self.synapse.users
        room = filler.room(users["carol"], users["dave"], name="Living room", messages=3)
        self.synapse.wait_background_updates()
        self.synapse.stop()
        self.live_rooms = [room, *filler.copy_rooms(room, LIVE_ROOMS - 1)]
        self.synapse.sql("ANALYZE")
        return self


class World:
    """One homeserver with one bot. start() runs both and lets the admins in."""

    def __init__(self, name, folder, template, settings=None, admins=("alice", "bob")):
        self.name = name
        self.folder = Path(folder)
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.template = template
        source = template.synapse
        self.postgres = template.postgres
        self.postgres.drop(name)
        self.postgres.create(name, owner="synapse", template=source.database)
        self.synapse = Synapse(self.folder / "synapse", self.postgres, name, settings=settings)
        self.synapse.shared_secret = source.shared_secret
        self.synapse.users = {user: User(**vars(known)) for user, known in source.users.items()}
        self.synapse.folder.mkdir(parents=True)
        shutil.copy(source.folder / "signing.key", self.synapse.folder)
        self.synapse.configure()
        self.fill = Filler(self.synapse)
        self.admin_names = admins
        self.steward = Steward(self.folder / "steward", self.synapse, [f"@{admin}:hs.test" for admin in admins])
        self.clients = {}
        self.room = None
        self.host = None

    def user(self, name):
        return self.synapse.users[name]

    def install(self, *more):
        """Set-up only; Synapse runs afterwards, the bot does not."""
        self.steward.install(*more)
        return self

    def add_host(self):
        """A steward-host that the bot may ask, over the environment that Synapse runs from; a dump for it to find."""
        self.host = Host(self.folder / "host", self.synapse, interpreter().parent.parent).start()
        self.host.dump()
        self.steward.change_config(host={"socket": str(self.host.socket_path)}, media={"path": str(self.synapse.media_path)})

    def start(self, join=("alice",)):
        """Bot and Synapse run, the named people are joined to the admin room."""
        if not self.steward.registration_path.exists():
            self.install()
        self.steward.start()
        for name in join:
            self.enter(name)
        return self

    def client(self, name, echo=None):
        """A connected Matrix client of a person, not yet in the room."""
        if name not in self.clients:
            self.clients[name] = Admin(self.synapse, self.user(name), self.steward.user_id, echo).connect()
        return self.clients[name]

    def enter(self, name, echo=None):
        """A person joins the admin room that the bot invited him to."""
        client = self.client(name, echo)
        self.room = client.join_admin_room(60)
        client.wait_message("!help", timeout=60)  # the welcome
        return client

    @property
    def alice(self):
        return self.clients["alice"]

    @property
    def bob(self):
        return self.clients["bob"]

    # What the bot remembers.

    def job(self, number):
        """One row of the bot's journal as a mapping, or None."""
        columns = ("number", "command", "state", "reason", "level", "asker", "confirmed_by", "receipt", "line")
        rows = self.synapse.sql(f"SELECT {', '.join(columns)} FROM steward.job WHERE number = %s", (number,))
        return dict(zip(columns, rows[0])) if rows else None

    def jobs(self):
        return [self.job(number) for (number,) in self.synapse.sql("SELECT number FROM steward.job ORDER BY number")]

    def items(self, number):
        """{target: state} of a job."""
        return dict(self.synapse.sql("SELECT target, state FROM steward.job_item WHERE job = %s", (number,)))

    def deletions(self, room=None):
        """How often Synapse was asked to delete a room, by its own task list: {room: tasks}."""
        rows = self.synapse.sql(
            "SELECT resource_id, count(*) FROM scheduled_tasks WHERE action = 'shutdown_and_purge_room' GROUP BY 1"
        )
        counts = dict(rows)
        return counts.get(room, 0) if room else counts

    def wait_job(self, number, *states, timeout=120):
        """The job once it is in one of `states`. Fails at once when it has ended in another one."""
        from .process import wait_until

        def arrived():
            job = self.job(number)
            if job and job["state"] in states:
                return job
            ended = job and job["state"] in ("done", "failed", "void")
            assert not ended, f"job {number} should be {states}, it is {job}; not done: {self.not_done(number)}"
            return None

        return wait_until(arrived, timeout, f"job {number} to be {states}, it is {self.job(number)}", 0.1)

    def not_done(self, number):
        return self.synapse.sql("SELECT target, state, error FROM steward.job_item WHERE job = %s AND state <> 'done' LIMIT 5", (number,))

    def carry_out(self, line, who="alice", states=("done",), timeout=180):
        """Types a command, confirms its plan as the card asks, waits for the end; (card, job)."""
        client = self.clients[who]
        card = client.plan(line)
        client.confirm(card)
        return card, self.wait_job(card.plan_number, *states, timeout=timeout)

    def plan_only(self, line, who="alice"):
        """Types a command and declines its plan; (card, {target: state} of the plan)."""
        client = self.clients[who]
        card = client.plan(line)
        items = self.items(card.plan_number)
        client.send(f"no {card.plan_number}")
        self.wait_job(card.plan_number, "void", timeout=30)
        return card, items

    # The end.

    def secrets(self):
        """What must never stand in a log or in the room."""
        values = [PASSWORD, self.synapse.shared_secret]
        if self.steward.registration_path.exists():
            values += [self.steward.registration["as_token"], self.steward.registration["hs_token"]]
        return values

    def leaks(self):
        """Where a secret was written down though it must not: log, room."""
        said = "\n".join(message.body + message.html for client in self.clients.values() for message in client.conversation)
        places = {"the log": self.steward.log(), "the room": said}
        return [place for place, text in places.items() for secret in self.secrets() if secret in text]

    def close(self):
        """Stops everything; a list of what was wrong at the end (empty is good)."""
        problems = [f"a secret stands in {place}" for place in self.leaks()]
        for client in self.clients.values():
            client.close()
        if self.steward.running:
            code = self.steward.stop()
            if code:
                problems.append(f"the bot ended with exit code {code} on SIGTERM")
        for word in ("AddressSanitizer", "runtime error:", "terminate called"):
            if word in self.steward.log():
                problems.append(f"{word!r} stands in the bot's log")
        if self.host:
            self.host.close()
        self.synapse.stop()
        self.postgres.drop(self.name)
        return problems

    def story(self):
        """For a failed test: the conversation and the ends of the logs."""
        from .process import tail

        parts = [f"--- {name}'s room\n{client.transcript(30)}" for name, client in self.clients.items()]
        parts.append(f"--- the bot's log\n{tail(self.steward.log_path, 60)}")
        if self.synapse.log_path.exists():
            lines = [line for line in self.synapse.log_path.read_text(errors="replace").splitlines() if " ERROR " in line or "Traceback" in line]
            parts.append("--- Synapse's errors\n" + "\n".join(lines[-20:]))
        return "\n".join(parts)


class Copies:
    """One filled homeserver, stopped; restore() puts its database and the bot's memory back as they were."""

    def __init__(self, world, name="base"):
        self.world = world
        self.base = f"{world.name}_{name}"
        self.state = world.folder / f"state-of-{name}"
        self.memory = world.steward.folder / "state"

    def keep(self):
        self.world.steward.stop()
        self.world.synapse.stop()
        self.world.synapse.sql("ANALYZE")
        self.world.postgres.drop(self.base)
        self.world.postgres.create(self.base, owner="synapse", template=self.world.name)
        shutil.copytree(self.memory, self.state, dirs_exist_ok=True)

    def restore(self):
        self.world.steward.stop()
        self.world.synapse.stop()
        self.world.postgres.drop(self.world.name)
        self.world.postgres.create(self.world.name, owner="synapse", template=self.base)
        shutil.rmtree(self.memory, ignore_errors=True)
        shutil.copytree(self.state, self.memory)
