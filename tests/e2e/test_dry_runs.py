"""No dry run writes: Synapse's whole database, every row and every sequence, is the same before and after each command's."""

import pytest
from psycopg2 import connect

from support.lines import commands, dry_run_lines, has_dry_run

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
    made.fill.media(carol, 3, age_days=90)
    made.fill.remote_media(count=3, age_days=90)
    made.synapse.sql("UPDATE redactions SET have_censored = true")
    made.synapse.sql("ANALYZE")
    made.steward.stop()
    made.synapse.stop()
    return made


@pytest.fixture(scope="module")
def backend(world):
    """Another program's connection, idle in a transaction: what db-stop may stop."""
    connection = connect(world.postgres.dsn(world.synapse.database))
    connection.cursor().execute("SELECT 1")
    yield connection.get_backend_pid()
    connection.close()


def test_a_change_would_be_seen(world):
    before = content(world)
    assert before["users"][0] >= 5 and len(before) > 150
    world.synapse.sql("UPDATE users SET upgrade_ts = 1 WHERE name = '@carol:hs.test'")
    changed = differences(before, content(world))
    world.synapse.sql("UPDATE users SET upgrade_ts = NULL WHERE name = '@carol:hs.test'")
    assert set(changed) == {"users"}
    assert not differences(before, content(world))


def test_every_dry_run_writes_nothing(world, backend):
    """With Synapse stopped: what needs only the database answers all the same, and nothing but the bot could have written."""
    before = content(world)
    problems, wrote = [], []
    for name, lines in dry_run_lines(world.steward).items():
        for line in lines:
            done = world.steward.exec(line.format(room=world.living, pid=backend))
            if done.returncode:
                problems.append(f"{line}: exit {done.returncode}: {(done.stdout + done.stderr)[-600:]}")
            after = content(world)
            if changed := differences(before, after):
                wrote.append(f"{line}: {changed}")
                before = after
    assert not wrote, "\n".join(wrote)
    assert not problems, "\n".join(problems)


def test_a_dry_run_has_something_to_say(world, backend):
    """They are no empty plans: rooms, media and tables are counted."""
    for line, word in {
        "clean-rooms --dry-run": "3 rooms",
        "purge-media 30d --dry-run": "3",
        "vacuum --dry-run": "events",
    }.items():
        said = world.steward.exec(line).stdout
        assert word in said, f"{line}: {said}"


def test_what_has_no_dry_run_reads_or_is_undone_at_once(world):
    """A command that deletes or slows and has no dry run would be one that nobody can look at first."""
    without = [command["name"] for command in commands(world.steward) if command["level"] >= 2 and not has_dry_run(command)]
    assert not without
