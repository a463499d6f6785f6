"""scripts/bench --compress: compress-state beside synapse_compress_state on the same generated state groups.

STEWARD_STATE_GROUPS names the SQL file that makes the rooms (they begin with !big); without it nothing is measured. The known
tool is run in the same run where STEWARD_KNOWN_COMPRESSOR names its program; else its figures are those recorded once on a
machine of two cores without other load. PostgreSQL runs with fsync. Every state is compared before and after by a reader of its own.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.postgres import Postgres  # noqa: E402
from support.synapse import Synapse  # noqa: E402

FOLDER = ROOT / "build/bench"
OURS = Path(os.environ.get("STEWARD_BUILD", ROOT / "build/release")) / "bench/bench_compress_state"
LEVELS = "100,50,25"
# synapse_compress_state 0.1.4, levels 100,50,25, with commits: rows before, rows after, seconds, MB.
RECORDED = {
    "!big1:hs.test": (202792, 10774, 2.6, 36), "!big2:hs.test": (168154, 10774, 2.6, 33),
    "!big3:hs.test": (163636, 10774, 2.7, 33), "!big4:hs.test": (208816, 14134, 2.1, 37),
}  # fmt: skip



class States:
    """The full state of every group of a room, as checksums that are put together row by row: what a group changes is taken out
    of its predecessor's and put in. Knows nothing of the bot's way."""

    def __init__(self, postgres, database, room):
        of_room = "SELECT id FROM state_groups WHERE room_id = %s"
        self.before = dict(postgres.query(database, f"SELECT state_group, prev_state_group FROM state_group_edges WHERE state_group IN ({of_room})", (room,)))
        self.rows = {group: {} for (group,) in postgres.query(database, of_room, (room,))}
        for group, *key, event in postgres.query(
            database, f"SELECT state_group, type, state_key, event_id FROM state_groups_state WHERE state_group IN ({of_room})", (room,)
        ):
            self.rows[group][tuple(key)] = event
        self.sums = {}
        for group in sorted(self.rows):
            at = self.before.get(group)
            total = self.sums[at] if at else 0
            for key, event in self.rows[group].items():
                total ^= checksum(key, event) ^ self.old(at, key)
            self.sums[group] = total

    def old(self, at, key):
        while at:
            if key in self.rows[at]:
                return checksum(key, self.rows[at][key])
            at = self.before.get(at)
        return 0


@cache
def checksum(key, event):
    return int.from_bytes(hashlib.sha256("\0".join([*key, event]).encode()).digest(), "big")


def states(postgres, database, room):
    return States(postgres, database, room).sums


def rows(postgres, database, room):
    return postgres.value(database, "SELECT count(*) FROM state_groups_state WHERE room_id = %s", (room,))


def prepare(postgres, file):
    """A Synapse's database with the rooms of the file, and two copies of it."""
    synapse = Synapse(FOLDER / "compress-synapse", postgres, "base")
    synapse.start()
    synapse.stop()
    postgres.restore("base", file)
    for database in ("ours", "known"):
        postgres.create(database, template="base")


def measure_ours(postgres):
    """Each room by a process of its own, as the known tool has one: its peak of memory is its own, too."""
    measured = {}
    for room in RECORDED:
        done = subprocess.run([OURS, postgres.dsn("ours"), room], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        measured[room] = json.loads(done.stdout)
    return measured


def measure_known(postgres, program, room):
    """(rows after, seconds, MB)"""
    begin = time.monotonic()
    process = subprocess.Popen(
        [program, "-p", postgres.url("known"), "-r", room, "-l", LEVELS, "-c"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    memory = 0
    while process.poll() is None:
        memory = max(memory, peak(process.pid))
        time.sleep(0.02)
    took = time.monotonic() - begin
    if process.returncode:
        raise RuntimeError(f"the known tool ended with {process.returncode}")
    return rows(postgres, "known", room), took, memory


def peak(pid):
    """MB, of the program alone: what wait4 gives holds the memory of the one that started it, too."""
    try:
        line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    except (OSError, StopIteration):
        return 0


def verdict(ok):
    return "met" if ok else "MISSED"


def report(room, ours, known, source, equal):
    after, took, memory = known
    print(f"{room}: {ours['before']} rows in {ours['changed']} groups rewritten; states equal before and after: {equal}")
    print(f"  rows left     ours {ours['after']} (depth {ours['depth']}), known {after}{source}: {verdict(ours['after'] <= after)}")
    print(f"  depth ≤ 100   ours {ours['after_100']}, its algorithm {ours['known_100']}: {verdict(ours['after_100'] <= ours['known_100'])}")
    print(f"  time          ours {ours['work']:.2f} s (read {ours['read']:.2f}, choose {ours['choose']:.2f}), with pauses {ours['all']:.2f} s, known {took:.2f} s{source}: "
          f"{ours['work'] / took:.2f} of it, ≤ 0.5 {verdict(ours['work'] <= took / 2)}")
    print(f"  transactions  {ours['transactions']}, the longest {ours['longest']:.3f} s: ≤ 0.5 {verdict(ours['longest'] <= 0.5)}")
    print(f"  peak memory   ours {ours['memory']:.1f} MB, known {memory:.1f} MB{source}: {verdict(ours['memory'] <= memory)}")


def main():
    print(f"load {os.getloadavg()[0]:.1f} at start, {os.cpu_count()} cores")
    file, program = os.environ.get("STEWARD_STATE_GROUPS"), os.environ.get("STEWARD_KNOWN_COMPRESSOR")
    if not file:
        print("ours is not measured: STEWARD_STATE_GROUPS names no file; the known tool as recorded:")
        for room, (before, after, took, memory) in RECORDED.items():
            print(f"  {room}: {before} → {after} rows, {took} s, {memory} MB (recorded)")
        return 1
    shutil.rmtree(FOLDER / "compress-postgres", ignore_errors=True)
    shutil.rmtree(FOLDER / "compress-synapse", ignore_errors=True)
    postgres = Postgres(FOLDER / "compress-postgres", durable=True)
    try:
        postgres.start()
        prepare(postgres, file)
        before = {room: states(postgres, "base", room) for room in RECORDED}
        known, source = {room: figures[1:] for room, figures in RECORDED.items()}, " (recorded)"
        if program:
            known, source = {room: measure_known(postgres, program, room) for room in RECORDED}, ""
        ours = measure_ours(postgres)
        equal = {room: states(postgres, "ours", room) == before[room] for room in RECORDED}
        for room in RECORDED:
            report(room, ours[room], known[room], source, equal[room])
        return 0 if all(equal.values()) else 1
    finally:
        postgres.remove()


if __name__ == "__main__":
    sys.exit(main())
