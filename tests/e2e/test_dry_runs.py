"""No dry run writes and no command of level 0 does: Synapse's whole database, every row and every sequence, is the same before
and after each. Synapse is stopped, so nothing but the bot could have written."""

import threading
from contextlib import suppress

import pytest
from psycopg2 import connect
from psycopg2.errors import QueryCanceled

from support.lines import NEED_SYNAPSE, SYNAPSES_OWN_NOTES, commands, dry_run_lines, has_dry_run, report_lines
from support.postgres import PASSWORD

TABLES = "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public'"
SEQUENCES = "SELECT sequencename::text, last_value::text FROM pg_sequences WHERE schemaname = 'public'"


def content(world):
    """{table: (rows, hash of its sorted rows)} and {sequence: value}; all but the bot's own schema."""
    with world.postgres.connect(world.synapse.database) as connection, connection.cursor() as cursor:
        cursor.execute(TABLES)
        found = {}
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT count(*), md5(string_agg(row, '' ORDER BY row)) FROM (SELECT md5(t::text) AS row FROM {table} t) rows")
            found[table] = cursor.fetchone()
        cursor.execute(SEQUENCES)
        found |= {f"sequence {name}": value for name, value in cursor.fetchall()}
    return found


def differences(before, after):
    return {name: (before.get(name), after.get(name)) for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@pytest.fixture(scope="module")
def world(new_world):
    """Something for every command to find; then Synapse and the bot are stopped."""
    made = new_world()
    made.start()
    carol, dave = made.user("carol"), made.user("dave")
    made.dead = [made.fill.dead_room(carol, dave, name=f"Dead {number}", messages=3) for number in range(3)]
    made.living = made.fill.room(carol, dave, name="Living", messages=4)
    event = made.synapse.send(carol, made.living, "a word to be taken back")
    made.synapse.client("PUT", f"/rooms/{made.living}/redact/{event}/1", {}, carol)
    made.media = "mxc://hs.test/" + made.fill.media(carol, 3, age_days=90)[0]
    made.fill.remote_media(count=3, age_days=90)
    made.synapse.sql("UPDATE redactions SET have_censored = true")
    made.synapse.sql("ANALYZE")
    made.steward.exec("allow @dave reader", "--yes", check=True)
    made.add_host()
    # Counted as what was there before: repack's dry run needs both.
    made.postgres.query(made.synapse.database, "CREATE EXTENSION pg_repack")
    made.steward.change_config(repack={"database": made.postgres.url(made.synapse.database)})
    made.steward.stop()
    made.synapse.stop()
    return made


@pytest.fixture(scope="module")
def backend(world):
    """Another program's statement that runs for long: what db-stop may stop."""
    connection = connect(world.postgres.dsn(world.synapse.database, user="synapse", password=PASSWORD))

    def sleep():
        with suppress(QueryCanceled):
            connection.cursor().execute("SELECT pg_sleep(600)")

    sleeping = threading.Thread(target=sleep)
    sleeping.start()
    yield connection.get_backend_pid()
    connection.cancel()
    sleeping.join()
    connection.close()


def test_a_change_would_be_seen(world):
    before = content(world)
    assert before["users"][0] >= 5 and len(before) > 150
    world.synapse.sql("UPDATE users SET upgrade_ts = 1 WHERE name = '@carol:hs.test'")
    changed = differences(before, content(world))
    world.synapse.sql("UPDATE users SET upgrade_ts = NULL WHERE name = '@carol:hs.test'")
    assert set(changed) == {"users"}
    assert not differences(before, content(world))


class Watch:
    """Runs lines and notes which of them wrote, or did not answer though they should."""

    def __init__(self, world):
        self.world, self.before = world, content(world)
        self.wrote, self.problems = [], []

    def run(self, line, may_fail=False):
        done = self.world.steward.exec(line)
        if done.returncode not in ((0, 1) if may_fail else (0,)):
            self.problems.append(f"{line}: exit {done.returncode}: {(done.stdout + done.stderr)[-600:]}")
        after = content(self.world)
        if changed := differences(self.before, after):
            self.wrote.append(f"{line}: {changed}")
            self.before = after
        return done

    def judge(self):
        assert not self.wrote, "\n".join(self.wrote)
        assert not self.problems, "\n".join(self.problems)


def test_every_dry_run_writes_nothing(world, backend):
    """What needs only the database answers with Synapse stopped."""
    watch = Watch(world)
    for name, lines in dry_run_lines(world.steward).items():
        for line in lines:
            done = watch.run(line.format(room=world.living, pid=backend), name in NEED_SYNAPSE)
            if name in NEED_SYNAPSE:
                assert "could not be reached" in done.stdout, f"{line} needs no Synapse: {done.stdout}"
    watch.judge()


def test_every_command_of_level_0_writes_nothing(world):
    """Those that ask Synapse's API may say that it is not there."""
    asking = {command["name"] for command in commands(world.steward) if "A" in command["sources"]}
    watch = Watch(world)
    for line in report_lines(world.steward):
        watch.run(line.format(room=world.living, media=world.media), line.split()[0] in asking)
    watch.judge()


def test_dry_runs_that_ask_synapse_write_nothing(world):
    """They come to their plan only with Synapse running; it writes of itself that it was asked."""
    world.synapse.start()
    try:
        before = content(world)
        for name in NEED_SYNAPSE:
            for line in dry_run_lines(world.steward)[name]:
                world.steward.exec(line, check=True)
        changed = differences(before, content(world))
        assert set(changed) <= SYNAPSES_OWN_NOTES, changed
    finally:
        world.synapse.stop()


def test_a_dry_run_has_something_to_say(world, backend):
    """They are no empty plans: rooms, media and tables are counted."""
    for line, word in {
        "clean-rooms --dry-run": "Dead 2",
        "purge-media 30d --dry-run": "3",
        "vacuum --dry-run": "dead rows",
        "repack events --dry-run": "written anew while it is used",
    }.items():
        said = world.steward.exec(line).stdout
        assert word in said, f"{line}: {said}"


def test_what_has_no_dry_run_reads_or_is_undone_at_once(world):
    """A command that deletes or slows and has no dry run would be one that nobody can look at first."""
    without = [command["name"] for command in commands(world.steward) if command["level"] >= 2 and not has_dry_run(command)]
    assert not without
