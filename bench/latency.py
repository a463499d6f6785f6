"""What scripts/bench --latency runs: how long a person waits for a sent message while nothing runs, and while each job does.

One client sends at a steady rate into a living room of a real Synapse; a time runs from the moment the message was due, so a server
that stops answering for a second is seen by every message of that second. Idle is measured before, between and after the
jobs, all together. Everything shares the machine's cores: client, Synapse, PostgreSQL (with fsync) and the bot.
"""

import argparse
import os
import platform
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import requests

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

from many import Many, quick_tables  # noqa: E402
from support.postgres import Postgres  # noqa: E402
from support.world import Template, World  # noqa: E402

FOLDER = ROOT / "build/bench-latency"
RATE = 20  # messages a second
BUDGET = 2  # times the idle p99


def say(text):
    print(text, file=sys.stderr, flush=True)


class Sender(threading.Thread):
    """Sends into a room, one message every 1/RATE s, whether the last was answered or not."""

    def __init__(self, world, user, room):
        super().__init__(daemon=True)
        self.url = f"{world.synapse.url}/_matrix/client/v3/rooms/{quote(room)}/send/m.room.message/"
        self.headers = {"Authorization": f"Bearer {user.token}"}
        self.sent, self.over, self.local = [], threading.Event(), threading.local()

    def run(self):
        with ThreadPoolExecutor(32) as pool:
            begin, number = time.time(), 0
            while not self.over.is_set():
                due = begin + number / RATE
                time.sleep(max(0.0, due - time.time()))
                pool.submit(self.send, number, due)
                number += 1

    def send(self, number, due):
        if not hasattr(self.local, "session"):
            self.local.session = requests.Session()
        try:
            answer = self.local.session.put(
                f"{self.url}{int(due * 1000)}-{number}", json={"msgtype": "m.text", "body": f"message {number}"}, headers=self.headers, timeout=120
            )
            self.sent.append((due, time.time() - due, answer.ok))
        except requests.RequestException:
            self.sent.append((due, time.time() - due, False))

    def __enter__(self):
        self.start()
        time.sleep(5)  # the first ones fill caches
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def within(self, windows):
        """The seconds of the messages that were due in one of these [(from, until)]; those that failed count as the slowest."""
        chosen = [message for message in self.sent if any(begin <= message[0] < end for begin, end in windows)]
        return sorted(seconds if ok else float("inf") for _, seconds, ok in chosen)


def percentile(values, percent):
    return values[min(len(values) - 1, int(len(values) * percent / 100))] if values else float("nan")


class Jobs:
    """Runs lines to their end, as a person in a terminal, and knows when each job began and ended by its journal."""

    def __init__(self, world):
        self.world, self.windows, self.idle, self.problems = world, {}, [], {}

    def rest(self, seconds):
        time.sleep(3)  # what a job left to do for Synapse
        begin = time.time()
        time.sleep(seconds)
        self.idle.append((begin, time.time()))

    def run(self, name, lines):
        for line in lines:
            last = self.world.synapse.sql_value("SELECT coalesce(max(number), 0) FROM steward.job")
            done = self.world.steward.exec(line, "--yes", timeout=1800)
            jobs = self.world.synapse.sql(
                "SELECT extract(epoch FROM started_at)::float8, extract(epoch FROM finished_at)::float8 FROM steward.job"
                " WHERE number > %s AND started_at IS NOT NULL AND finished_at IS NOT NULL", (last,)
            )  # fmt: skip
            self.windows.setdefault(name, []).extend(jobs)
            if done.returncode or not jobs:
                self.problems[name] = f"{line}: " + next(iter((done.stdout + done.stderr).strip().splitlines()), f"exit {done.returncode}")
        say(f"{name}: {sum(end - begin for begin, end in self.windows[name]):.1f} s {self.problems.get(name, '')}")


def fill(world, sizes):
    """(room to send into, jobs as [(name, [line])])"""
    synapse, bob, carol = world.synapse, world.user("bob"), world.user("carol")
    living = world.fill.room(bob, carol, name="Living", messages=2)
    long, lost = world.fill.room(bob, name="Long", messages=1), world.fill.room(bob, name="Lost", messages=1)
    small = world.fill.dead_room(bob, carol, name="Small", messages=12)
    large = world.fill.dead_room(bob, carol, name="Large", messages=12)
    world.fill.media(carol, sizes["media"], size=2000, age_days=90)
    synapse.stop()
    world.fill.copy_rooms(small, sizes["rooms"] - 1)
    many = Many(world)
    with quick_tables(world.postgres, world.name):
        for room in (long, lost, large):
            world.fill.more_events(room, sizes["events"])
        many.long_states(sizes["states"], bob.user_id)
    many.orphan(lost)
    many.redactions(sizes["redactions"], long)
    world.postgres.query(world.name, "VACUUM ANALYZE")
    # Else PostgreSQL's own may have done the job before it is measured.
    for table in ("events", "event_json", "event_auth", "event_edges"):
        many.run(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    world.postgres.query(world.name, "CHECKPOINT")
    synapse.start()
    synapse.wait_background_updates()
    jobs = [
        ("clean-rooms, api", [f"clean-rooms --method api --keep {large}"]),
        ("clean-rooms, hybrid", ["clean-rooms --method hybrid"]),
        ("purge-media", ["purge-media 30d"]),
        ("clean-redacted", ["clean-redacted"]),
        ("compress-state", ["compress-state"]),
        ("clean-orphans", ["clean-orphans"]),
        ("vacuum", ["vacuum event_json", "vacuum events", "vacuum event_auth", "vacuum event_edges"]),
        ("reindex", ["reindex events", "reindex event_json", "reindex event_auth"]),
    ]
    if world.postgres.query(world.name, "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_repack'"):
        world.postgres.query(world.name, "CREATE EXTENSION pg_repack")
        world.steward.change_config(repack={"database": world.postgres.url(world.name)})
        jobs.append(("repack", ["repack events", "repack event_json"]))
    return living, jobs


def table(sender, jobs):
    idle = sender.within(jobs.idle)
    base = percentile(idle, 99)
    rows = [("while", "seconds", "messages", "p50 ms", "p99 ms", "longest ms", "p99 / idle", "budget")]
    for name, windows in {"nothing runs": jobs.idle, **jobs.windows}.items():
        values = sender.within(windows)
        ratio = percentile(values, 99) / base
        verdict = "" if windows is jobs.idle else f"≤ {BUDGET} " + ("met" if ratio <= BUDGET else "MISSED")
        rows.append((
            name, f"{sum(end - begin for begin, end in windows):.1f}", f"{len(values)}", f"{percentile(values, 50) * 1000:.0f}",
            f"{percentile(values, 99) * 1000:.0f}", f"{values[-1] * 1000:.0f}" if values else "", f"{ratio:.2f}", verdict,
        ))  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(lines + [f"not measured: {problem}" for problem in jobs.problems.values()])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    options = parser.parse_args()
    sizes = {"rooms": 300, "events": 200_000, "media": 3000, "redactions": 100_000, "states": 4}
    idle = 20
    if options.quick:
        sizes, idle = {"rooms": 20, "events": 10_000, "media": 100, "redactions": 3_000, "states": 1}, 5
    shutil.rmtree(FOLDER, ignore_errors=True)
    about = f"{os.cpu_count()} cores, {platform.release()}, load {os.getloadavg()[0]:.1f} at start, {RATE} messages a second"
    postgres = world = None
    try:
        postgres = Postgres(FOLDER / "postgres", durable=True).start()
        template = Template(FOLDER / "template", postgres).prepare()
        world = World("bench", FOLDER / "world", template)
        # The command refuses to clean more than half of all rooms: there must be enough living ones.
        world.fill.copy_rooms(template.live_rooms[0], max(0, sizes["rooms"] * 2 - len(template.live_rooms)))
        world.start()
        world.steward.stop()  # its schema and its room are made; jobs run in the terminal
        room, lines = fill(world, sizes)
        jobs = Jobs(world)
        with Sender(world, world.user("bob"), room) as sender:
            jobs.rest(idle)
            for name, some in lines:
                jobs.run(name, some)
                jobs.rest(idle / 2)
        print(about)
        print(table(sender, jobs))
    finally:
        for problem in world.close() if world else []:
            say(problem)
        if postgres:
            postgres.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
