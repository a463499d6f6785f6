"""!repack by the real pg_repack on Synapse's own schema: what it needs, what it keeps, what is left after a stop."""

import shutil
import subprocess
import threading
import time

import pytest

from support.postgres import PASSWORD
from support.process import patience, wait_until
from support.space import Holder, swell, total

LEFT = """
    SELECT 'trigger ' || tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'repack_trigger'
    UNION ALL SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('repack') AND relkind IN ('r', 'c') AND relname ~ '[0-9]$'"""
RUNNING = "SELECT pid FROM pg_stat_activity WHERE application_name = 'synapse-steward repack'"
EQUAL = "SELECT md5(string_agg(d::text, ',' ORDER BY destination)) FROM destinations d"


def superuser(world, statement):
    return world.postgres.query(world.synapse.database, statement)


def left(world):
    return [name for (name,) in superuser(world, LEFT)]


def file_of(world, table="destinations"):
    return world.synapse.sql_value("SELECT relfilenode::bigint FROM pg_class WHERE relname = %s", (table,))


def configure(world, **repack):
    """Changes keys that a SIGHUP applies, and waits until it has."""
    told = [world.steward.log().count(f"reload: repack.{key} is applied") for key in repack]
    before = world.steward.config().get("repack", {})
    world.steward.change_config(repack=repack)
    world.steward.hang_up()
    for count, (key, value) in zip(told, repack.items()):
        if value != before.get(key, ""):
            wait_until(lambda: world.steward.log().count(f"reload: repack.{key} is applied") > count, 10, f"{key} to be applied")


@pytest.fixture(scope="module")
def bare(new_world):
    """Without the extension, without a superuser."""
    world = new_world()
    if not superuser(world, "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_repack'"):
        pytest.skip("pg_repack is not installed (scripts/install-dependencies installs it)")
    return world.start()


@pytest.fixture(scope="module")
def packed(bare):
    """With all that pg_repack needs. The tests before have seen what is said without."""
    superuser(bare, "CREATE EXTENSION IF NOT EXISTS pg_repack")
    configure(bare, database=bare.postgres.url(bare.synapse.database))
    swell(bare)
    return bare


def refused(world, line, *words):
    answer = world.alice.ask(line, *words, timeout=60)
    assert answer.plan_number is None
    return answer


# What is missing is named.


def test_without_the_extension(bare):
    answer = refused(bare, "!repack destinations", "The extension pg_repack is not installed")
    assert "CREATE EXTENSION" in answer


def test_without_a_superuser(bare):
    superuser(bare, "CREATE EXTENSION pg_repack")
    assert "repack.database" in refused(bare, "!repack destinations", "superuser only")


def test_another_database(bare):
    configure(bare, database=bare.postgres.url("postgres"))
    refused(bare, "!repack destinations", "is not installed in Synapse's database")
    bare.postgres.query("postgres", "CREATE EXTENSION pg_repack")
    try:
        refused(bare, "!repack destinations", "is not Synapse's database")
    finally:
        bare.postgres.query("postgres", "DROP EXTENSION pg_repack CASCADE")


def test_a_program_that_is_not_there(packed):
    configure(packed, program="/nowhere/pg_repack")
    refused(packed, "!repack destinations", "was not found")
    configure(packed, program="/bin/true")
    refused(packed, "!repack destinations", "is not pg_repack")
    configure(packed, program=shutil.which("pg_repack"))


def test_another_version(packed):
    (version,) = superuser(packed, "SELECT extversion FROM pg_extension WHERE extname = 'pg_repack'")[0]
    superuser(packed, "UPDATE pg_extension SET extversion = '1.2.3' WHERE extname = 'pg_repack'")
    try:
        answer = refused(packed, "!repack destinations", "do not fit")
        assert version in answer and "1.2.3" in answer
    finally:
        superuser(packed, f"UPDATE pg_extension SET extversion = '{version}' WHERE extname = 'pg_repack'")


def test_a_table_without_a_key(packed):
    refused(packed, "!repack state_groups_state", "neither a primary key nor a unique index")
    listed = refused(packed, "!repack", "Name one table")
    assert "destinations" in listed and "without a key" in listed


def test_what_somebody_else_left_is_not_touched(packed):
    oid = packed.synapse.sql_value("SELECT 'destinations'::regclass::oid::bigint")
    superuser(packed, f"CREATE TABLE repack.log_{oid} (id bigint)")
    try:
        answer = refused(packed, "!repack destinations", "in the way")
        assert f"repack.log_{oid}" in answer
        assert left(packed) == [f"log_{oid}"]
    finally:
        superuser(packed, f"DROP TABLE repack.log_{oid}")


# What it does.


def test_a_table_of_nobody(packed):
    swell(packed)
    before, rows = total(packed), packed.synapse.sql_value(EQUAL)
    dead = packed.synapse.sql_value("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'destinations'")
    card = packed.alice.plan("!repack destinations")
    for word in ("Returned", "Lock", "Free disk", "Program: pg_repack", "Time"):
        assert word in card.first_body, card.first_body
    packed.alice.confirm(card)
    assert packed.wait_job(card.plan_number, "done")["level"] == 2
    after = total(packed)
    assert after < before / 2 and packed.synapse.sql_value(EQUAL) == rows and left(packed) == []
    item = packed.synapse.sql("SELECT done_bytes, done_rows FROM steward.job_item WHERE job = %s", (card.plan_number,))
    assert item == [(before - after, dead)]
    receipt = packed.alice.wait_receipt(card.plan_number)
    assert "1 table repacked" in receipt and "returned to the disk" in receipt and "Leftovers: none" in receipt
    assert "living" in receipt and "Reusable" in receipt


def test_while_synapse_writes_the_table(packed):
    """Nobody's event is lost: those of before, and those that are sent while it is copied and exchanged."""
    synapse, bob = packed.synapse, packed.user("bob")
    room = packed.fill.room(bob, packed.user("carol"), name="Busy")
    synapse.sql("ALTER TABLE event_json SET (autovacuum_enabled = off)")
    synapse.sql(
        "INSERT INTO event_json (event_id, room_id, internal_metadata, json, format_version)"
        " SELECT '$made-up-' || n, '!none:hs.test', '{}', repeat('x', 400) || n, 3 FROM generate_series(1, 80000) n"
    )
    synapse.sql("DELETE FROM event_json WHERE event_id LIKE '$made-up-%' AND right(event_id, 1) <> '7'")
    synapse.sql("ANALYZE event_json")
    kept = "SELECT md5(string_agg(e::text, ',' ORDER BY event_id)) FROM event_json e WHERE event_id LIKE '$made-up-%'"
    before, made_up, others = total(packed, "event_json"), synapse.sql_value(kept), synapse.sql("SELECT event_id FROM event_json")
    card = packed.alice.plan("!repack event_json")
    assert "restart it afterwards" in card.first_body
    stop, sent, problems, longest = threading.Event(), [], [], [0.0]

    def talk():
        while not stop.is_set():
            began = time.monotonic()
            try:
                sent.append(synapse.send(bob, room, f"message {len(sent)}"))
            except Exception as problem:  # told by the main thread
                problems.append(problem)
            longest[0] = max(longest[0], time.monotonic() - began)

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        packed.alice.confirm(card)
        assert packed.wait_job(card.plan_number, "done")["level"] == 3
    finally:
        stop.set()
        talker.join()
    assert not problems and len(sent) > 5
    assert total(packed, "event_json") < before / 2 and left(packed) == []
    assert synapse.sql_value(kept) == made_up
    there = {event for (event,) in synapse.sql("SELECT event_id FROM event_json")}
    assert {event for (event,) in others} | set(sent) <= there
    assert longest[0] < 3 * patience(), f"a message took {longest[0]:.1f} s"
    packed.alice.wait_receipt(card.plan_number)
    seen = synapse.client("GET", f"/rooms/{room}/messages", None, bob, dir="b", limit=500)["chunk"]
    assert {event["event_id"] for event in seen} >= set(sent[-100:])


def test_the_password_is_in_no_argument(packed):
    """Whoever is on the host sees the arguments of all programs."""
    run = Waiting(packed)
    try:
        found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        arguments = [line for line in found.splitlines() if "pg_repack" in line]
        assert arguments and all(PASSWORD not in line and "dbname" not in line for line in arguments)
        assert any("--table=public.destinations --no-kill-backend" in line for line in arguments)
    finally:
        run.holder.let_go()
    packed.wait_job(run.number, "done")


# Stopped in the middle.


class Waiting:
    """A run that has copied its table and waits for somebody else's old transaction."""

    def __init__(self, world):
        self.world = world
        swell(world)
        self.rows, self.file = world.synapse.sql_value(EQUAL), file_of(world)
        self.holder = Holder(world, "SELECT count(*) FROM rooms")
        card = world.alice.plan("!repack destinations")
        world.alice.confirm(card)
        self.number = card.plan_number
        world.wait_job(self.number, "running")
        wait_until(lambda: any(name.startswith("table_") for name in left(world)), 30, "the copy", 0.1)
        marked = "SELECT count(*) FROM pg_description WHERE description = 'synapse-steward'"
        wait_until(lambda: superuser(world, marked) == [(1,)], 30, "the log to be known as the bot's", 0.1)

    def check_untouched(self):
        assert file_of(self.world) == self.file and self.world.synapse.sql_value(EQUAL) == self.rows


def test_cancelled(packed):
    run = Waiting(packed)
    try:
        live = packed.alice.live_message(run.number)
        packed.alice.wait_for(lambda: "waits for" in live and "somebody else" in live, 30, "the live message to say whom it waits for")
        packed.alice.send(f"!cancel {run.number}")
        started = time.monotonic()
        packed.wait_job(run.number, "stopped", timeout=30)
        assert time.monotonic() - started < 3 * patience()
        assert left(packed) == [] and superuser(packed, RUNNING) == []
        run.check_untouched()
        assert "Left: destinations" in packed.alice.wait_receipt(run.number)
    finally:
        run.holder.let_go()


def test_what_a_lock_keeps_is_named_and_dropped_by_the_next(packed):
    run = Waiting(packed)
    reader = Holder(packed, "SELECT count(*) FROM destinations")
    try:
        packed.alice.send(f"!cancel {run.number}")
        # Others can read and write meanwhile: nobody waits in front of them for long.
        worst = 0
        while packed.job(run.number)["state"] != "stopped":
            began = time.monotonic()
            packed.synapse.sql("UPDATE destinations SET retry_interval = 1 WHERE destination LIKE 'server7.%'")
            worst = max(worst, time.monotonic() - began)
            time.sleep(0.1)
        assert worst < 4 * patience(), worst
        receipt = packed.alice.wait_receipt(run.number)
        assert "Left on destinations: trigger repack_trigger" in receipt
        assert len(left(packed)) == 4
    finally:
        reader.let_go()
        run.holder.let_go()
    assert file_of(packed) == run.file
    rows = packed.synapse.sql_value(EQUAL)
    card, _ = packed.carry_out("!repack destinations")
    assert "Leftovers of a stopped run, dropped first" in card.first_body
    assert left(packed) == [] and file_of(packed) != run.file and packed.synapse.sql_value(EQUAL) == rows


def test_a_dead_program(packed):
    """kill -9 of pg_repack alone: the bot drops what it left and says that it failed."""
    run = Waiting(packed)
    found = subprocess.run(["pgrep", "-f", "table=public.destinations"], capture_output=True, text=True, check=True).stdout
    for pid in found.split():
        subprocess.run(["kill", "-9", pid], check=True)
    try:
        wait_until(lambda: packed.items(run.number) == {"destinations": "failed"}, 60, "the job to say so")
        assert left(packed) == []
        run.check_untouched()
    finally:
        run.holder.let_go()


def test_a_dead_bot(packed):
    """kill -9 of the bot: pg_repack ends with it and tidies up, and after the start the table is done."""
    run = Waiting(packed)
    packed.steward.kill()
    wait_until(lambda: superuser(packed, RUNNING) == [], 30, "pg_repack to end")
    run.check_untouched()
    run.holder.let_go()
    packed.steward.start()
    packed.wait_job(run.number, "done", timeout=120)
    assert left(packed) == [] and file_of(packed) != run.file and packed.synapse.sql_value(EQUAL) == run.rows


def test_a_restarted_database(packed):
    run = Waiting(packed)
    packed.postgres.restart()
    packed.wait_job(run.number, "done", timeout=120)
    assert left(packed) == [] and file_of(packed) != run.file and packed.synapse.sql_value(EQUAL) == run.rows
    assert "1 table repacked" in packed.alice.wait_receipt(run.number)


def test_the_lock_is_waited_for(packed):
    swell(packed)
    card = packed.alice.plan("!repack destinations")
    Holder(packed, "LOCK TABLE destinations IN SHARE MODE", seconds=10)
    started = time.monotonic()
    packed.alice.confirm(card)
    packed.wait_job(card.plan_number, "done")
    assert time.monotonic() - started > 8
    packed.alice.wait_receipt(card.plan_number)
