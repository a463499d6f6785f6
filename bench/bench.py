"""What scripts/bench runs: the bot beside a bare Beast server, mautrix-python and matrix-appservice (Node), all in one run.

Contestants take turns in short rounds, so that a busy moment of the machine hits all alike; numbers are medians over the
rounds, ratios are medians of the rounds' ratios. Percentiles are taken of the latencies of all rounds together: the slowest
hundredth of one short round is chance. Prints one table at the end. Nothing here fails on a slow machine: a
budget that is missed is marked, a measurement that cannot be had is named.
"""

import argparse
import http.client
import json
import os
import platform
import secrets
import shutil
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.fill import Filler  # noqa: E402
from support.postgres import Postgres  # noqa: E402
from support.process import Process, Unavailable, can_connect, free_port, wait_until  # noqa: E402
from support.steward import program  # noqa: E402
from support.world import Template, World  # noqa: E402

FOLDER = ROOT / "build/bench"
RELEASE = Path(os.environ.get("STEWARD_BUILD", ROOT / "build/release"))
TOKEN = secrets.token_hex(32)
OURS, BARE, LAYER, PYTHON, NODE = "ours", "bare Beast", "our HTTP layer", "mautrix-python", "matrix-appservice"


def say(text):
    print(text, file=sys.stderr, flush=True)


# Contestants.


class Peer:
    """A program that serves the application-service API on a port of its own and stores nothing."""

    def __init__(self, name, arguments, environment=None):
        self.name, self.arguments, self.environment = name, arguments, environment
        self.token = TOKEN
        self.process = None

    def start(self):
        """Starts it; the seconds until it accepts connections."""
        self.port = free_port()
        log = FOLDER / "logs" / f"{self.name.replace(' ', '-')}.log"
        begin = time.monotonic()
        self.process = Process([*self.arguments, self.port, TOKEN], log, environment=self.environment)
        wait_until(lambda: can_connect(self.port) or self._ended(), 30, self.name, 0.002)
        return time.monotonic() - begin

    def _ended(self):
        if not self.process.running:
            raise Unavailable(f"{self.name} ended at once: {self.process.text()[-500:]}")

    def stop(self):
        self.process.kill()

    def memory(self):
        return resident(self.process.pid)


class Bot:
    """Our program beside its Synapse and PostgreSQL, with the interface of Peer."""

    name = OURS

    def __init__(self, world):
        self.steward = world.steward

    @property
    def port(self):
        return self.steward.port

    @property
    def token(self):
        return self.steward.registration["hs_token"]

    def start(self):
        begin = time.monotonic()
        self.steward.start(wait=False)
        wait_until(lambda: can_connect(self.port) or self._ended(), 30, "the bot", 0.002)
        self.steward.wait_ready()
        return time.monotonic() - begin

    def _ended(self):
        if not self.steward.running:
            raise Unavailable(f"the bot ended at once: {self.steward.log()[-500:]}")

    def stop(self):
        self.steward.stop()

    def memory(self):
        return self.steward.memory()


def resident(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS line")


def peers():
    node_modules = FOLDER / "node/node_modules"
    return [
        Peer(BARE, [RELEASE / "bench/bench_bare_beast"]),
        Peer(LAYER, [RELEASE / "bench/bench_http_layer"]),
        Peer(PYTHON, [FOLDER / "venv/bin/python", ROOT / "bench/peers/mautrix_python.py"]),
        Peer(NODE, ["node", ROOT / "bench/peers/matrix_appservice.js"], {"NODE_PATH": str(node_modules)}),
    ]


# Measurements. Each fills `results[what][contestant]` with the values of its rounds.


class Results(dict):
    def add(self, what, who, value):
        self.setdefault(what, {}).setdefault(who, []).append(value)

    def add_percentiles(self, what, who, latencies):
        """`latencies`: {milliseconds: how often}, of all rounds."""
        for percent in (50, 99):
            left = sum(latencies.values()) * percent / 100
            for milliseconds, times in sorted(latencies.items()):
                left -= times
                if left <= 0:
                    break
            self.add(f"{what}, p{percent}", who, milliseconds)

    def value(self, what, who):
        values = self.get(what, {}).get(who)
        return median(values) if values else None

    def ratio(self, what, who, other):
        """ours / peer, round by round where both have as many rounds."""
        left, right = self.get(what, {}).get(who), self.get(what, {}).get(other)
        if not left or not right:
            return None
        if len(left) == len(right):
            return median(a / b for a, b in zip(left, right))
        return median(left) / median(right)


def wrk(contestant, connections, seconds):
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", ROOT / "bench/transactions.lua",
         f"http://127.0.0.1:{contestant.port}", "--", contestant.token],
        capture_output=True, text=True, check=True, cwd="/",
    )  # fmt: skip
    seen = json.loads(done.stdout.strip().splitlines()[-1])
    if seen["failed"]:
        raise RuntimeError(f"{contestant.name} did not answer {seen['failed']} of {seen['requests']} transactions with 200")
    return seen


def measure_intake(results, contestants, rounds, seconds):
    for contestant in contestants:
        wrk(contestant, 8, 1)  # warm
    latencies = {contestant.name: Counter() for contestant in contestants}
    for number in range(rounds):
        for contestant in contestants if number % 2 else reversed(contestants):
            for connections in (1, 8):
                seen = wrk(contestant, connections, seconds)
                rate = seen["requests"] / seen["microseconds"] * 1e6
                results.add(f"transactions/s, {connections} connection{'s' * (connections > 1)}", contestant.name, rate)
                if connections == 1:
                    latencies[contestant.name].update({microseconds / 1000: times for microseconds, times in seen["latencies"]})
        say(f"intake: round {number + 1} of {rounds}")
    for name, seen in latencies.items():
        results.add_percentiles("acknowledged", name, seen)


def measure_start(results, contestants, times):
    """Time to ready; the last start stays up and is measured for memory after some seconds of rest."""
    for contestant in contestants:
        for number in range(times):
            results.add("ready after start", contestant.name, contestant.start())
            if number < times - 1:
                contestant.stop()
    time.sleep(5)
    for contestant in contestants:
        results.add("memory, idle", contestant.name, contestant.memory() / 2**20)


def measure_stored(results, world, count):
    """Acknowledgement of commands in the admin room: each is committed to disk before the answer. One at a time, with pauses
    in which the command before it is answered: with 50 a second Synapse's work on the answers is what would be measured."""
    bot = Bot(world)
    before = world.synapse.sql_value("SELECT count(*) FROM steward.inbox")
    connection = http.client.HTTPConnection("127.0.0.1", bot.port, timeout=30)
    times = Counter()
    for number in range(count):
        event = {
            "type": "m.room.message", "event_id": f"$bench-stored-{time.time_ns()}", "room_id": world.room,
            "sender": world.user("alice").user_id, "origin_server_ts": int(time.time() * 1000),
            "content": {"msgtype": "m.text", "body": "!version"}, "unsigned": {"age": 10},
        }  # fmt: skip
        body = json.dumps({"events": [event]})
        begin = time.perf_counter()
        connection.request(
            "PUT", f"/_matrix/app/v1/transactions/stored-{time.time_ns()}", body, {"Authorization": f"Bearer {bot.token}"}
        )
        answer = connection.getresponse()
        answer.read()
        times[(time.perf_counter() - begin) * 1000] += 1
        if answer.status != 200:
            raise RuntimeError(f"a command was answered {answer.status}")
        time.sleep(0.1)
    stored = world.synapse.sql_value("SELECT count(*) FROM steward.inbox") - before
    if stored < count:
        raise RuntimeError(f"only {stored} of {count} commands were stored")
    results.add_percentiles("stored command", OURS, times)


def dead_rooms(world, count):
    fill = Filler(world.synapse)
    first = fill.dead_room(world.user("bob"), world.user("carol"), name="Forgotten", messages=10)
    rooms = [first, *fill.copy_rooms(first, count - 1)]
    world.synapse.sql("ANALYZE")
    return rooms


def settle(world, room):
    """Synapse looks at each event that came into its tables, the copied ones too, as soon as the next one is sent: seconds of
    work for its senders to other servers and application services. It is done before a clock runs."""
    synapse = world.synapse
    synapse.send(world.user("bob"), room, "a message")
    newest = synapse.sql_value("SELECT max(stream_ordering) FROM events")

    def caught_up():
        return newest <= synapse.sql_value(
            "SELECT least((SELECT stream_id FROM federation_stream_position WHERE type = 'events'),"
            " (SELECT stream_ordering FROM appservice_stream_position))"
        )

    wait_until(caught_up, 60, "Synapse to have seen the copied events")
    time.sleep(1)


def clean_by_api(world, rooms, in_flight):
    begin = time.monotonic()
    with ThreadPoolExecutor(in_flight) as pool:
        list(pool.map(world.synapse.delete_room, rooms))
    return time.monotonic() - begin


def clean_by_command(world, card):
    """From the person's confirmation to the end of the job, receipt and all. Asked for on one connection: opening them costs
    the server more than the question."""
    with world.postgres.connect(world.name) as connection, connection.cursor() as cursor:

        def ended():
            cursor.execute("SELECT 1 FROM steward.job WHERE number = %s AND state IN ('done', 'failed')", (card.plan_number,))
            return cursor.fetchone()

        begin = time.monotonic()
        world.alice.confirm(card)
        wait_until(ended, 600, "the end of the job", 0.05)
        return time.monotonic() - begin


def measure_cleaning(results, world, count, rounds):
    """Seconds of the bare delete API and of the command, at the same number in flight; who is first changes each round."""
    what = f"cleaning rooms, s for {count}"
    in_flight = int(world.steward.config().get("rooms", {}).get("in_flight", 3))
    living = world.fill.room(world.user("bob"), name="Living")
    for number in range(rounds):
        for by_command in (False, True) if number % 2 else (True, False):
            rooms = dead_rooms(world, count)
            card = world.alice.plan("!clean-rooms") if by_command else None
            settle(world, living)
            seconds = clean_by_command(world, card) if by_command else clean_by_api(world, rooms, in_flight)
            results.add(what, OURS if by_command else "delete API", seconds)
            left = [room for room in rooms if world.synapse.room_exists(room)]
            if left:
                raise RuntimeError(f"{len(left)} of {count} rooms are still there")
        say(f"cleaning: round {number + 1} of {rounds}, {in_flight} in flight, ours/API {results.ratio(what, OURS, 'delete API'):.2f}")
    return what


# The table.

# (what, unit, [(peer, target of ours/peer)], target of the value); a positive target is a minimum, a negative one a maximum.
ROWS = [
    ("transactions/s, 1 connection", "/s", [(BARE, 0.9), (PYTHON, 2), (NODE, None), (LAYER, None)], None),
    ("transactions/s, 8 connections", "/s", [(BARE, None), (PYTHON, 10), (NODE, None), (LAYER, None)], None),
    ("acknowledged, p50", "ms", [(BARE, None), (PYTHON, None), (NODE, None)], None),
    ("acknowledged, p99", "ms", [(BARE, -1.2), (PYTHON, None), (NODE, None)], None),
    ("stored command, p50", "ms", [], None),
    ("stored command, p99", "ms", [], -5),
    ("memory, idle", "MiB", [(PYTHON, None), (NODE, None)], -28),
    ("ready after start", "s", [(PYTHON, None), (NODE, None)], -0.3),
]


def number(value, unit):
    if value is None:
        return "not measured"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if unit == "MiB" or value >= 1 else 3
    return f"{value:,.{digits}f} {unit}"


def judged(value, target):
    if target is None or value is None:
        return ""
    met = value >= target if target > 0 else value <= -target
    return f"{'≥' if target > 0 else '≤'} {abs(target)} {'met' if met else 'MISSED'}"


def table(results, cleaning):
    rows = [("", "ours", "peer", "", "ours/peer", "target")]
    cleaning_rows = [(cleaning, "s", [("delete API", -1.1)], None)] if cleaning else []
    for what, unit, others, limit in [*ROWS, *cleaning_rows]:
        if what not in results:
            continue
        ours = results.value(what, OURS)
        if ours is not None and (limit is not None or not others):
            rows.append((what, number(ours, unit), "", "", "", judged(ours, limit)))
        for peer, target in others:
            theirs, ratio = results.value(what, peer), results.ratio(what, OURS, peer)
            shown = f"{ratio:.2f}" if ratio is not None else ""
            rows.append((what, number(ours, unit), peer, number(theirs, unit), shown, judged(ratio, target)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def machine():
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    return f"{os.cpu_count()} cores {model}, {platform.release()}, load {os.getloadavg()[0]:.1f} at start"


def make_world(postgres):
    template = Template(FOLDER / "template", postgres).prepare()
    world = World("bench", FOLDER / "world", template)
    # The command refuses to clean more than half of all rooms: there must be enough living ones.
    world.synapse.start()
    world.fill.copy_rooms(template.live_rooms[0], 150)
    world.synapse.stop()
    world.install()
    return world


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds, to see that everything runs")
    parser.add_argument("--peers-only", action="store_true", help="without the bot, its Synapse and its PostgreSQL")
    options = parser.parse_args()
    # Thirty short rounds: a machine's bad second decides where the slowest hundredth begins (p98 0.1 ms, p99.5 1.3 ms, alike for
    # all); with ten of two seconds the ratio of two p99 was anything from 0.4 to 2.8, with these 0.8 and 0.9.
    rounds, seconds, rooms = (1, 1, 12) if options.quick else (30, 1, 60)

    for folder in ("logs", "postgres", "template", "world"):
        shutil.rmtree(FOLDER / folder, ignore_errors=True)
    results, started, missing, cleaning, postgres, world = Results(), [], [], None, None, None
    about = machine()
    try:
        contestants = peers()
        if not options.peers_only:
            try:
                program()  # said before the servers are started
                postgres = Postgres(FOLDER / "postgres", durable=True).start()
                world = make_world(postgres)
                world.start()  # makes the admin room; the measured starts come after it
                world.steward.stop()
                contestants.insert(0, Bot(world))
            except Unavailable as problem:
                missing.append(f"ours is not measured: {problem}")
                world = None
        started = contestants
        say("time to ready, memory")
        measure_start(results, contestants, 1 if options.quick else 5)
        measure_intake(results, contestants, rounds, seconds)
        for contestant in contestants:
            if contestant.name != OURS:
                contestant.stop()
        if world:
            measure_stored(results, world, 50 if options.quick else 300)
            cleaning = measure_cleaning(results, world, rooms, 1 if options.quick else 6)
    finally:
        for contestant in started:
            if contestant.name != OURS and contestant.process and contestant.process.running:
                contestant.stop()
        if world:
            for problem in world.close():
                missing.append(problem)
        if postgres:
            postgres.remove()
    print(about)
    print(table(results, cleaning))
    for line in missing:
        print(line)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
