"""The demo behind scripts/demo: sets up a homeserver with something to clean, then is its admin for a few minutes.

Prints the conversation as it happens. Counts media, files and rooms before and after, and compares them with the plans the
admin confirmed, to the row and the byte; ends with exit code 1 when they differ.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.client import Admin  # noqa: E402
from support.fill import DAY, Filler, now_ms  # noqa: E402
from support.postgres import Postgres  # noqa: E402
from support.process import can_connect, wait_until  # noqa: E402
from support.steward import Steward  # noqa: E402
from support.synapse import Synapse  # noqa: E402

FOLDER = ROOT / ".demo"
NOTE = FOLDER / "processes"


def heading(text):
    print(f"\n\033[1m== {text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def say(text):
    print(text, flush=True)


class Demo:
    def __init__(self, keep):
        self.keep = keep
        FOLDER.mkdir()
        self.postgres = Postgres(FOLDER / "postgres", detached=keep)
        preferred = None if can_connect(8008) else 8008
        self.synapse = Synapse(FOLDER / "synapse", self.postgres, "synapse", port=preferred, detached=keep)
        self.steward = Steward(FOLDER / "steward", self.synapse, ["@alice:hs.test"], detached=keep)
        self.fill = Filler(self.synapse)
        self.problems = []

    # Servers.

    def servers(self):
        heading("A private PostgreSQL and a real Synapse")
        self.postgres.start()
        self.synapse.start()
        self.synapse.wait_background_updates()
        version = self.synapse.request("GET", "/_synapse/admin/v1/server_version")["server_version"]
        say(f"PostgreSQL on port {self.postgres.port}, Synapse {version} at {self.synapse.url}, everything in {FOLDER.name}/")

    def people_and_rooms(self):
        heading("People, rooms with and without local members, media with old access times")
        register = self.synapse.register
        self.alice = register("alice", displayname="Alice")
        bob, carol, dave = register("bob"), register("carol"), register("dave")
        fill = self.fill

        living = fill.room(carol, dave, name="Book club", messages=6)
        fill.copy_rooms(living, 24)
        empty = fill.dead_room(bob, carol, name="Party 2019", messages=10)
        self.dead = {empty, *fill.copy_rooms(empty, 9)}
        self.dead.add(fill.dead_room(dave, name="Test test", age_days=400))
        fill.dead_room(bob, name="Left last week", age_days=5)
        fill.dead_room(carol, name="Left but not forgotten", forget=False)
        fill.dead_room(dave, name="Has an address", room_alias_name="address")
        invited = fill.room(bob, name="Somebody is invited")
        self.synapse.invite(bob, invited, carol)
        self.synapse.leave(bob, invited)
        fill.age_room(invited, 90)

        self.old = set()
        for user, count, size in ((bob, 12, 40_000), (carol, 9, 15_000), (dave, 4, 3_000)):
            self.old.update(fill.media(user, count, size, age_days=60))
        self.old.update(fill.media(dave, 2, 8_000, age_days=45, filename="never-opened.bin"))
        fill.media(bob, 30, 30_000, age_days=3)
        fill.avatar(carol)
        (bad,) = fill.media(dave, 1, 5_000, filename="bad.bin")
        fill.quarantine(bad)
        (kept,) = fill.media(bob, 1, 6_000, filename="contract.pdf")
        fill.protect(kept)
        fill.remote_media("far.example", 5, 20_000, age_days=90)
        self.synapse.sql("ANALYZE")
        for what, count in fill.snapshot().items():
            say(f"  {what}: {count:,}".replace(",", " "))

    def bot(self):
        heading("steward setup, before the restart of Synapse")
        say(self.steward.setup("--no-wait").stdout.rstrip())
        self.synapse.add_registration(self.steward.registration_path)
        self.synapse.restart()
        heading("steward setup, after it")
        say(self.steward.setup().stdout.rstrip())
        heading("steward run")
        started = time.monotonic()
        self.steward.start()
        say(f"answers after {time.monotonic() - started:.2f} s")

    # The admin.

    def conversation(self):
        heading("The conversation")
        self.admin = Admin(self.synapse, self.alice, self.steward.user_id, echo=lambda text: say(text)).connect()
        self.admin.join_admin_room(60)
        self.admin.wait_message(timeout=30)
        for line in ("!help", "!status", "!purge-media 30d --dry-run"):
            self.admin.ask(line, timeout=60)
            self.quiet()
        self.act("!purge-media 30d", self.check_media)
        self.admin.ask("!clean-rooms --dry-run", timeout=60)
        self.quiet()
        self.act("!clean-rooms", self.check_rooms)
        self.admin.close()

    def act(self, line, check):
        """A command with a plan: looks at the server, confirms, waits for the end, compares."""
        before = self.fill.snapshot()
        card = self.admin.plan(line)
        self.quiet()
        number = card.plan_number
        planned = self.steward.sql("SELECT target, bytes FROM steward.job_item WHERE job = %s", (number,))
        confirmation = self.admin.confirm(card)
        state = wait_until(lambda: self.ended(number), 300, f"job {number}", 0.2)
        self.admin.wait_message(after=confirmation, timeout=30)
        self.quiet(3)
        after = self.fill.snapshot()
        self.expect(f"job {number} ended", state, "done")
        check(planned, before, after)

    def ended(self, number):
        rows = self.steward.sql("SELECT state FROM steward.job WHERE number = %s", (number,))
        return rows[0][0] if rows and rows[0][0] not in ("waiting", "queued", "running") else None

    def quiet(self, seconds=1.0):
        """Until the room has been silent for a moment, so that a card and its reactions are not cut by the next line."""
        seen = None
        while True:
            now = [(message.body, dict(message.reactions)) for message in self.admin.conversation]
            if now == seen:
                return
            seen = now
            time.sleep(seconds)

    # Checks.

    def expect(self, what, seen, wanted):
        same = seen == wanted
        say(f"  {'same' if same else 'DIFFERS'}: {what}: {seen}" + ("" if same else f", expected {wanted}"))
        if not same:
            self.problems.append(what)

    def check_media(self, planned, before, after):
        heading("Check: media before and after, against the confirmed plan")
        targets = {target.rsplit("/", 1)[-1] for target, _ in planned}
        planned_bytes = sum(size for _, size in planned)
        self.expect("planned files are exactly those nobody opened for 30 days", targets == self.old, True)
        for what in ("local media", "local media bytes", "media files", "media file bytes"):
            freed = before[what] - after[what]
            self.expect(f"{what} {before[what]} -> {after[what]}, gone", freed, planned_bytes if "bytes" in what else len(planned))
        self.expect("cached remote media left alone", after["remote media"], before["remote media"])
        left = {row[0] for row in self.synapse.sql("SELECT media_id FROM local_media_repository WHERE media_id = ANY(%s)", (list(self.old),))}
        self.expect("planned rows left in the database", len(left), 0)
        self.expect("planned files left on the disk", sum(self.synapse.local_media_file(media).exists() for media in self.old), 0)

    def check_rooms(self, planned, before, after):
        heading("Check: rooms before and after, against the confirmed plan")
        targets = {target for target, _ in planned}
        self.expect("planned rooms are exactly those without a local member for 30 days", targets == self.dead, True)
        self.expect(f"rooms {before['rooms']} -> {after['rooms']}, gone", before["rooms"] - after["rooms"], len(targets))
        rows = {}
        for room in targets:
            for table, count in self.synapse.leftovers(room).items():
                rows[table] = rows.get(table, 0) + count
        self.expect("rows of a deleted room that are left (Synapse's own streams apart)", rows, {})
        recent = self.synapse.sql_value("SELECT count(*) FROM events WHERE received_ts > %s", (now_ms() - 30 * DAY,))
        say(f"  living rooms keep their {after['events']} events ({recent} of the last 30 days)")

    # The end.

    def note(self):
        """Who runs, for `scripts/demo stop`: a process is known by its number and its start time together."""
        lines = []
        for process in (self.steward.process, self.synapse.process, self.postgres.process):
            if process and process.running:
                lines.append(f"{process.pid} {start_time(process.pid)}")
        NOTE.write_text("\n".join([*lines, str(self.postgres.data)]) + "\n")

    def stop(self):
        self.steward.stop()
        self.synapse.stop()
        self.postgres.remove()
        shutil.rmtree(FOLDER, ignore_errors=True)

    def how_to_log_in(self):
        heading("Still running")
        say(
            f"  homeserver URL   {self.synapse.url}   (any Matrix client on this machine)\n"
            f"  user             alice\n"
            f"  password         {self.alice.password}\n"
            f"  the room         the one {self.steward.user_id} invited Alice to; try !help there\n"
            f"  terminal         build/release/steward exec --config .demo/steward/steward.yaml '!status'\n"
            f"  the bot's log    .demo/steward/steward.log\n"
            f"  end it           scripts/demo stop"
        )


def start_time(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None


def stop():
    """Ends what --keep left running."""
    if NOTE.exists():
        *processes, data = NOTE.read_text().splitlines()
        for line in processes:  # the bot first, the database last
            pid, started = line.split()
            if start_time(int(pid)) != started:
                continue
            # PostgreSQL waits for its clients on SIGTERM, not on SIGINT.
            os.kill(int(pid), signal.SIGINT if line == processes[-1] else signal.SIGTERM)
            wait_until(lambda: start_time(int(pid)) != started or is_zombie(int(pid)), 40, f"process {pid} to end")
        if Path(data) != FOLDER / "postgres/data" and Path(data).name.startswith("steward-postgres-"):
            shutil.rmtree(data, ignore_errors=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    say("the demo is stopped and .demo/ is gone")


def is_zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def main(arguments):
    if arguments == ["stop"]:
        return stop()
    keep = "--keep" in arguments
    if FOLDER.exists():
        stop()
    demo = Demo(keep)
    try:
        demo.servers()
        demo.people_and_rooms()
        demo.bot()
        demo.conversation()
    except BaseException:
        for log in (demo.steward.log_path,):
            if log.exists():
                print(f"\n{log.name} ends:\n" + "\n".join(log.read_text(errors='replace').splitlines()[-30:]), file=sys.stderr)
        if not keep:
            demo.stop()
        else:
            demo.note()
        raise
    if keep:
        demo.note()
        demo.how_to_log_in()
    else:
        demo.stop()
    heading("The check agrees with the plans" if not demo.problems else "The check DIFFERS: " + "; ".join(demo.problems))
    return 1 if demo.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
