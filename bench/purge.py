"""What scripts/bench --purge runs: clean-rooms by api, hybrid and offline on copies of one filled database, in one table.

Small rooms: api against offline, rooms per second. One large room: api against hybrid, time, longest transaction, cancel.
Times are the job's own, from the bot's journal; rows are those that are gone. A budget that is missed is marked.
"""

import argparse
import os
import platform
import shutil
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.postgres import Postgres  # noqa: E402
from support.process import wait_until  # noqa: E402
from support.world import Copies, Template, World  # noqa: E402

FOLDER = ROOT / "build/bench-purge"


def say(text):
    print(text, file=sys.stderr, flush=True)


class LongestTransaction(threading.Thread):
    """Looks every few milliseconds how old the transaction of the bot's work session is."""

    LOOK = ("SELECT extract(epoch FROM max(clock_timestamp() - xact_start)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'synapse-steward work' AND xact_start IS NOT NULL")  # fmt: skip

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.seconds, self.over = world, 0.0, threading.Event()

    def run(self):
        with self.world.postgres.connect(self.world.name) as connection, connection.cursor() as cursor:
            while not self.over.wait(0.005):
                cursor.execute(self.LOOK)
                self.seconds = max(self.seconds, float(cursor.fetchone()[0] or 0))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def job(world):
    """(number, seconds it took, rows that went) of the newest job."""
    number, seconds = world.synapse.sql(
        "SELECT number, extract(epoch FROM finished_at - started_at) FROM steward.job ORDER BY number DESC LIMIT 1"
    )[0]
    rows = world.synapse.sql_value("SELECT sum(done_rows) FROM steward.job_item WHERE job = %s", (number,))
    return number, float(seconds), int(rows)


def start_synapse(world):
    """And waits for what it rebuilds by itself for rooms that were copied by SQL."""
    world.synapse.start()
    world.synapse.wait_background_updates()


def clean(world, method):
    done = world.steward.exec(f"clean-rooms --method {method}", "--yes", timeout=1200)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return job(world)[1:]


def measure_cancel(world):
    """Seconds from the command to the end of the job, in the middle of a large room."""
    world.steward.start()
    card = world.steward.exec("clean-rooms --method hybrid")
    number = world.synapse.sql_value("SELECT max(number) FROM steward.job")
    word = world.synapse.sql_value("SELECT count(*) FROM steward.job_item WHERE job = %s", (number,))
    confirming = threading.Thread(target=world.steward.exec, args=(f"yes {number} {word}",), daemon=True)
    confirming.start()
    begun = "SELECT note LIKE %s FROM steward.job_item WHERE job = %s LIMIT 1"
    wait_until(lambda: world.synapse.sql_value(begun, ("%event_json=%", number)), 60, f"the room to be begun; {card.stdout}", 0.01)
    time.sleep(0.5)
    state = "SELECT state FROM steward.job WHERE number = %s"
    begin = time.monotonic()
    cancelling = threading.Thread(target=world.steward.exec, args=(f"cancel {number}",), daemon=True)
    cancelling.start()
    wait_until(lambda: world.synapse.sql_value(state, (number,)) != "running", 30, "the job to stop", 0.005)
    seconds = time.monotonic() - begin
    cancelling.join(10)
    world.steward.stop()
    return seconds


def fill(world, small, large):
    bob, carol = world.user("bob"), world.user("carol")
    first = world.fill.dead_room(bob, carol, name="Small", messages=12)
    world.synapse.stop()
    world.steward.stop()
    world.fill.copy_rooms(first, small - 1)
    copies = {"small": Copies(world, "small")}
    copies["small"].keep()
    copies["small"].restore()
    world.synapse.sql("UPDATE events SET received_ts = (extract(epoch FROM now()) * 1000)::bigint WHERE received_ts < (extract(epoch FROM now()) * 1000)::bigint - 2592000000")
    world.synapse.start()
    room = world.fill.dead_room(bob, carol, name="Large", messages=12)
    world.fill.more_events(room, large)
    copies["large"] = Copies(world, "large")
    copies["large"].keep()
    return copies


def judged(value, target):
    met = value >= target if target > 0 else value <= -target
    return f"{'≥' if target > 0 else '≤'} {abs(target)} {'met' if met else 'MISSED'}"


def measure(world, copies, small, large):
    lines = [("what", "method", "time", "rooms/s or events/s", "rows/s", "ratio", "target")]
    seconds = {}
    for method in ("api", "offline"):
        copies["small"].restore()
        if method == "api":
            start_synapse(world)
        seconds[method], rows = clean(world, method)
        world.synapse.stop()
        ratio = seconds["api"] / seconds[method]
        lines.append((f"{small} small rooms", method, f"{seconds[method]:.2f} s", f"{small / seconds[method]:.0f}", f"{rows / seconds[method]:,.0f}",
                      f"{ratio:.1f} × api", judged(ratio, 15) if method == "offline" else ""))  # fmt: skip
        say(lines[-1])
    for method in ("api", "hybrid", "offline"):
        copies["large"].restore()
        if method != "offline":
            start_synapse(world)
        with LongestTransaction(world) if method == "hybrid" else open(os.devnull) as longest:
            seconds[method], rows = clean(world, method)
        world.synapse.stop()
        ratio = seconds[method] / seconds["api"]
        lines.append((f"1 room, {large:,} events", method, f"{seconds[method]:.2f} s", f"{large / seconds[method]:,.0f}", f"{rows / seconds[method]:,.0f}",
                      f"{ratio:.2f} of api", judged(ratio, -0.5) if method == "hybrid" else ""))  # fmt: skip
        say(lines[-1])
        if method == "hybrid":
            lines.append(("longest transaction", method, f"{longest.seconds:.2f} s", "", "", "", judged(longest.seconds, -0.5)))
    copies["large"].restore()
    start_synapse(world)
    cancel = measure_cancel(world)
    lines.append(("cancel", "hybrid", f"{cancel:.2f} s", "", "", "", judged(cancel, -1)))
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    options = parser.parse_args()
    small, large = (40, 12_000) if options.quick else (200, 100_000)
    shutil.rmtree(FOLDER, ignore_errors=True)
    about = f"{os.cpu_count()} cores, {platform.release()}, load {os.getloadavg()[0]:.1f} at start"
    postgres = world = None
    try:
        postgres = Postgres(FOLDER / "postgres", durable=True).start()
        template = Template(FOLDER / "template", postgres).prepare()
        world = World("bench", FOLDER / "world", template)
        # The command refuses to clean more than half of all rooms: there must be enough living ones.
        world.fill.copy_rooms(template.live_rooms[0], max(0, small * 2 - len(template.live_rooms)))
        world.start()
        copies = fill(world, small, large)
        lines = measure(world, copies, small, large)
    finally:
        if world:
            for problem in world.close():
                say(problem)
        if postgres:
            postgres.remove()
    print(about)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
