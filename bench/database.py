"""What scripts/bench --database runs: every report and every dry run on a large generated database, in one table of seconds.

Reports are measured on 1 000 000 events (50 000 rooms of 20) beside 1 000 000 media rows, dry runs after that on 100 000 rooms of 20
events and 100 abandoned rooms, three of which hold 1 000 000 events each, then with 40 000 abandoned rooms. A time is that of the whole `steward exec`, the
median of three; a line far over its budget is run once. --keep leaves PostgreSQL's folder, so that plans can be looked at.
"""

import argparse
import os
import platform
import shutil
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench")]

from many import Many, quick_tables  # noqa: E402
from support.lines import dry_run_lines, report_lines  # noqa: E402
from support.postgres import Postgres  # noqa: E402
from support.world import Template, World  # noqa: E402

FOLDER = ROOT / "build/bench-database"
REPORT_SECONDS, DRY_RUN_SECONDS = 1, 3
EVENTS_OF_A_ROOM = 20
GIBIBYTES = 30  # what the full size needs at most
# A search through every row in short steps, which says how far it is: no report that has to answer at once.
WITHOUT_BUDGET = {"check-orphans", "clean-orphans", "check-state-groups", "clean-state-groups"}
# They answer from the bot's own memory; check-media needs the files, which are not generated.
NOT_MEASURED = {"check-media", "help", "whoami", "settings", "version", "ping", "schedules", "policies", "alerts", "jobs", "audit", "appservices"}
DRY_RUNS = ("clean-rooms", "purge-media", "purge-user-media", "clean-redacted", "clean-orphans", "compress-state", "clean-state-groups", "vacuum")


def say(text):
    print(text, file=sys.stderr, flush=True)


class Step:
    """Says what takes how long."""

    def __init__(self, what):
        self.what = what

    def __enter__(self):
        self.begin = time.monotonic()

    def __exit__(self, *_):
        say(f"{self.what}: {time.monotonic() - self.begin:.0f} s")


class Table:
    """Runs lines through `steward exec` and keeps their times."""

    def __init__(self, world):
        self.world, self.rows = world, []

    def measure(self, where, line, budget):
        times, problem = [], ""
        while len(times) < 3 and not problem:
            begin = time.monotonic()
            done = self.world.steward.exec(line, timeout=900)
            times.append(time.monotonic() - begin)
            if done.returncode:
                problem = next(iter((done.stdout + done.stderr).strip().splitlines()), f"exit {done.returncode}")
            if times[0] > 5 * (budget or REPORT_SECONDS):
                break
        seconds = median(times)
        verdict = problem or ("" if budget is None else "ok" if seconds <= budget else "OVER")
        self.rows.append((where, line, f"{seconds:.2f}", "" if budget is None else f"{budget}", verdict))
        say("  ".join(self.rows[-1]))

    def text(self):
        rows = [("on", "what", "seconds", "budget", ""), *self.rows]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def analysed(world):
    world.postgres.query(world.name, "VACUUM ANALYZE")


def first_stage(world, many, living, rooms, media):
    with Step(f"{rooms} rooms of {EVENTS_OF_A_ROOM} events, {media} media rows"), quick_tables(world.postgres, world.name):
        many.rooms(living, rooms - 1)
        many.media(media)
    with Step("redactions, statistics"):
        many.redactions(rooms // 2)
        analysed(world)


def second_stage(world, many, living, dead, rooms, large):
    with Step(f"{rooms} rooms more, 100 abandoned ones, three of {large} events"), quick_tables(world.postgres, world.name):
        many.rooms(living, rooms)
        many.rooms(dead[0], 96)
        for room in dead[1:]:
            world.fill.more_events(room, large)
    with Step("statistics"):
        analysed(world)


def third_stage(world, many, dead, rooms):
    with Step(f"{rooms} abandoned rooms more"), quick_tables(world.postgres, world.name):
        many.rooms(dead[0], rooms)
    with Step("statistics"):
        analysed(world)


def make_world(postgres):
    """(world, a living room of twenty events, four abandoned ones); Synapse and the bot are stopped."""
    template = Template(FOLDER / "template", postgres).prepare()
    world = World("bench", FOLDER / "world", template).install()
    bob, carol = world.user("bob"), world.user("carol")
    living = world.fill.room(bob, carol, name="Living")
    made = world.synapse.sql_value("SELECT count(*) FROM events WHERE room_id = %s", (living,))
    for number in range(EVENTS_OF_A_ROOM - made):
        world.synapse.send(bob, living, f"message {number}")
    dead = [world.fill.dead_room(bob, carol, name=f"Abandoned {number}", messages=8) for number in range(4)]
    world.synapse.stop()
    return world, living, dead


class Measured:
    """Synapse runs while lines are measured; says on how much."""

    def __init__(self, world):
        self.world = world

    def __enter__(self):
        query = self.world.synapse.sql_value
        rooms, events = query("SELECT count(*) FROM rooms"), query("SELECT count(*) FROM events")
        say(f"{events:,} events: {query('SELECT pg_size_pretty(pg_database_size(current_database()))')}")
        self.world.synapse.start()
        self.world.synapse.wait_background_updates()
        return f"{rooms:,} rooms, {events:,} events"

    def __exit__(self, *_):
        self.world.synapse.stop()


def measure(world, living, dead, rooms, media, large, only_reports):
    table, many = Table(world), Many(world)
    first_stage(world, many, living, rooms // 2, media)
    stored = "mxc://hs.test/" + world.synapse.sql_value("SELECT min(media_id) FROM local_media_repository")
    with Measured(world) as where:
        for line in report_lines(world.steward):
            name = line.split()[0]
            if name not in NOT_MEASURED:
                budget = DRY_RUN_SECONDS if name == "shrink" else REPORT_SECONDS  # it makes the dry runs of five commands
                table.measure(where, line.format(room=living, media=stored), None if name in WITHOUT_BUDGET else budget)
    if only_reports:
        return table
    second_stage(world, many, living, dead, rooms - rooms // 2, large)
    dry_runs = dry_run_lines(world.steward)
    with Measured(world) as where:
        for name in DRY_RUNS:
            for line in dry_runs[name]:
                table.measure(where, line.format(room=living), None if name in WITHOUT_BUDGET else DRY_RUN_SECONDS)
    third_stage(world, many, dead, rooms * 2 // 5)
    with Measured(world) as where:
        for line in dry_runs["clean-rooms"]:
            table.measure(where, line, DRY_RUN_SECONDS)
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fiftieth of the rows, to see that everything runs")
    parser.add_argument("--reports", action="store_true", help="only the reports, on 1 000 000 events")
    parser.add_argument("--keep", action="store_true", help="leave the database")
    options = parser.parse_args()
    rooms, media, large = (2_000, 20_000, 20_000) if options.quick else (100_000, 1_000_000, 1_000_000)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    if not options.quick and shutil.disk_usage(FOLDER).free < GIBIBYTES << 30:
        sys.exit(f"the database needs up to {GIBIBYTES} GiB, there are {shutil.disk_usage(FOLDER).free >> 30} GiB free in build/")
    about = f"{os.cpu_count()} cores, {platform.release()}, load {os.getloadavg()[0]:.1f} at start"
    postgres = world = None
    try:
        # Nothing that is timed here waits for a commit.
        postgres = Postgres(FOLDER / "postgres", durable=False).start()
        world, living, dead = make_world(postgres)
        table = measure(world, living, dead, rooms, media, large, options.reports)
    finally:
        if world and not options.keep:
            for problem in world.close():
                say(problem)
        if postgres:
            postgres.stop() if options.keep else postgres.remove()
    print(about)
    print(table.text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
