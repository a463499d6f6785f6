"""!clean-rooms --method hybrid and offline against --method api, each on its own copy of one filled database: the same rows gone,
not one too many; and what happens when somebody joins, holds a lock, kills the bot or starts Synapse meanwhile."""

import collections
import signal
import time

import pytest

from support.process import Process, can_connect, wait_until
from support.synapse import FORGOTTEN_BY_PURGE, ApiError
from support.world import Copies

LARGE = 40  # rooms.large of these tests
LINE = "clean-rooms --include aliased,reported,blocked,left --method {}"

# The only tables whose rows may differ between the methods: Synapse's own notes about an API call.
BOOKKEEPING = {"cache_invalidation_stream_by_instance", "scheduled_tasks"}


def all_rows(world, database):
    """{table: Counter of rows as text} of everything Synapse has."""
    tables = world.postgres.query(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    with world.postgres.connect(database) as connection, connection.cursor() as cursor:
        rows = {}
        for (table,) in tables:
            cursor.execute(f'SELECT x::text FROM "{table}" AS x')
            rows[table] = collections.Counter(row for (row,) in cursor.fetchall())
        return rows


def compare(before, after):
    """({table: rows gone}, {table: rows new}) without the tables where nothing changed."""
    gone = {table: before[table] - after[table] for table in before}
    new = {table: after[table] - before[table] for table in before}
    return {t: c for t, c in gone.items() if c}, {t: c for t, c in new.items() if c}


def every_kind(world):
    """Dead rooms with all that Synapse stores about one, and what its purge leaves."""
    synapse, fill = world.synapse, world.fill
    bob, carol = world.user("bob"), world.user("carol")
    rooms = {}
    small = fill.dead_room(bob, carol, name="Small", messages=4)
    rooms["small"] = [small, *fill.copy_rooms(small, 8)]

    room = fill.room(bob, carol, name="Rich", messages=60, room_alias_name="rich",
                     initial_state=[{"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}])  # fmt: skip
    synapse.set_state(bob, room, "m.room.retention", {"max_lifetime": 10**12})
    labelled = synapse.send(bob, room, {"msgtype": "m.text", "body": "labelled", "org.matrix.labels": ["#fun"]})
    synapse.send(carol, room, {"msgtype": "m.text", "body": "thread", "m.relates_to": {"rel_type": "m.thread", "event_id": labelled}})
    synapse.send(carol, room, {"m.relates_to": {"rel_type": "m.annotation", "event_id": labelled, "key": "👍"}}, kind="m.reaction")
    redacted = synapse.send(bob, room, "redacted")
    synapse.client("PUT", f"/rooms/{room}/redact/{redacted}/r{time.monotonic_ns()}", {}, bob)
    synapse.client("POST", f"/rooms/{room}/receipt/m.read/{labelled}", {}, carol)
    synapse.client("PUT", f"/user/{bob.user_id}/rooms/{room}/tags/u.old", {"order": 0.5}, bob)
    synapse.client("PUT", f"/user/{bob.user_id}/rooms/{room}/account_data/org.example", {"a": 1}, bob)
    synapse.client("POST", f"/rooms/{room}/report/{labelled}", {"reason": "rude"}, carol)
    version = synapse.client("POST", "/room_keys/version", {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {}}, bob)["version"]
    key = {"first_message_index": 0, "forwarded_count": 0, "is_verified": False, "session_data": {}}
    synapse.client("PUT", f"/room_keys/keys/{room}/session", key, bob, version=version)
    for number in range(30):
        synapse.set_state(bob, room, "org.example", {"n": number}, str(number % 5))
    for user in (bob, carol):
        synapse.leave(user, room)
    fill.age_room(room, 90)
    synapse.sql("INSERT INTO event_expiry (event_id, expiry_ts) VALUES (%s, 99999999999999)", (labelled,))
    rooms["rich"] = [room]

    blocked = fill.dead_room(bob, name="Blocked", messages=50)
    synapse.admin("PUT", f"/v1/rooms/{blocked}/block", {"block": True})
    rooms["blocked"] = [blocked]
    return rooms


@pytest.fixture(scope="module")
def copies(new_world):
    world = new_world().start()
    world.rooms = every_kind(world)
    world.steward.change_config(rooms={"large": LARGE})
    made = Copies(world)
    made.keep()
    return made


@pytest.fixture
def world(copies):
    copies.restore()
    return copies.world


def start_talking(world):
    """The bot runs beside Synapse, alice listens anew (what an earlier test's client heard is not in this copy)."""
    if not world.synapse.running:
        world.synapse.start()
    world.steward.start()
    client = world.clients.pop("alice", None)
    if client:
        client.close()
    alice = world.client("alice")
    alice.enter(world.room)
    return alice


def finished(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run(world, method, online):
    """Rows gone and new after one run by the terminal, everything stopped afterwards."""
    before = all_rows(world, world.name)
    if online:
        world.synapse.start()
    said = finished(world.steward.exec(LINE.format(method), "--yes"))
    world.synapse.stop()
    return (*compare(before, all_rows(world, world.name)), said)


def identities(world, rooms):
    """Every id that a row of these rooms can be known by, from the filled database."""
    ids = set(rooms)
    for statement in (
        "SELECT event_id FROM events WHERE room_id = ANY(%s)", "SELECT id::text FROM state_groups WHERE room_id = ANY(%s)",
        "SELECT room_alias FROM room_aliases WHERE room_id = ANY(%s)",
        "SELECT chain_id::text FROM event_auth_chains JOIN events USING (event_id) WHERE room_id = ANY(%s)",
    ):  # fmt: skip
        ids |= {value for (value,) in world.postgres.query(f"{world.name}_base", statement, (list(rooms),))}
    return ids


def cells(row):
    return {cell.strip('"') for cell in row.strip("()").split(",")}


def test_the_three_methods_leave_the_same(copies):
    world = copies.world
    rooms = {room for kind in world.rooms.values() for room in kind}
    results = {}
    for method, online in (("api", True), ("hybrid", True), ("offline", False)):
        copies.restore()
        results[method] = run(world, method, online)
        assert f"{len(rooms)} rooms deleted" in results[method][2]
        assert "nothing grew" in results[method][2]
        assert not any(world.synapse.room_exists(room) for room in rooms)
        assert all(world.synapse.leftovers(room) == {} for room in rooms), method
        blocked = [room for (room,) in world.synapse.sql("SELECT room_id FROM blocked_rooms")]
        assert blocked == world.rooms["blocked"], f"{method}: the block state is as it was"
        assert world.synapse.sql_value("SELECT count(*) FROM event_reports") == 1, "evidence stays"

    # What the running Synapse does by itself (it sends the bot's messages, its workers move on): rows of the admin room and
    # positions, of which the stopped one has none.
    gone_offline, new_offline, _ = results["offline"]
    assert new_offline == {}
    ours = identities(world, rooms)
    for table, rows in gone_offline.items():
        for row in rows:
            assert cells(row) & ours, f"a row too many of {table}: {row}"
    for method in ("api", "hybrid"):
        gone, new, _ = results[method]
        for table in set(gone) | set(gone_offline):
            if table in BOOKKEEPING:
                continue
            went = collections.Counter({row: count for row, count in gone.get(table, {}).items() if world.room not in row})
            # A position that moved on is a row gone and a row new of a table from which no deletion takes anything.
            moved = table not in gone_offline and len(went) <= len(new.get(table, ()))
            offline = gone_offline.get(table, collections.Counter())
            same = went <= offline if table in FORGOTTEN_BY_PURGE else went == offline
            assert moved or same, f"{method} against offline: {table}"
    assert "Hybrid, blocked while they are emptied" in results["hybrid"][2] and "2 rooms with 40 events or more" in results["hybrid"][2]
    assert "event_json" in results["hybrid"][2] and "event_json" in results["offline"][2]


def test_offline_is_refused_while_synapse_runs(world):
    world.synapse.start()
    refused = world.steward.exec(LINE.format("offline"), "--yes")
    assert refused.returncode != 0
    assert "Somebody is connected" in refused.stdout and "synapse" in refused.stdout
    assert all(world.synapse.room_exists(room) for room in world.rooms["small"])
    assert "stop Synapse" in refused.stdout
    dry = finished(world.steward.exec(LINE.format("offline") + " --dry-run"))
    assert "Method: offline" in dry
    alice = start_talking(world)
    assert "needs Synapse stopped" in alice.ask("!" + LINE.format("offline"), "offline", timeout=60)


def test_offline_is_refused_while_a_person_is_connected(world):
    with world.postgres.connect(world.name, user="synapse") as person, person.cursor() as cursor:
        cursor.execute("SET application_name = 'somebody at psql'")
        refused = world.steward.exec(LINE.format("offline"), "--yes")
    assert refused.returncode != 0 and "somebody at psql (synapse" in refused.stdout
    assert all(world.synapse.room_exists(room) for room in world.rooms["small"])


def test_an_unknown_foreign_key_refuses(world):
    world.synapse.sql("CREATE TABLE stranger (event_id text REFERENCES events (event_id) ON DELETE CASCADE)")
    refused = world.steward.exec(LINE.format("offline"), "--yes")
    assert refused.returncode != 0 and "stranger" in refused.stdout
    assert all(world.synapse.room_exists(room) for room in world.rooms["small"])


def start_exec(world, line):
    log = world.folder / f"exec-{time.monotonic_ns()}.log"
    return Process([world.steward.program, "exec", "--config", world.steward.config_path, "--yes", line], log)


def last_job(world):
    return world.synapse.sql_value("SELECT max(number) FROM steward.job")


def guard_of(world):
    """A look whether the guard lock is held, from another database: a session in this one would be refused."""
    relation = world.synapse.sql_value("SELECT 'schema_compat_version'::regclass::oid::bigint")
    held = ("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = %s)"
            " AND relation = %s AND mode = 'AccessExclusiveLock' AND granted)")  # fmt: skip
    return lambda: world.postgres.value("postgres", held, (world.name, relation))


def test_synapse_cannot_start_while_offline_runs_and_a_killed_run_resumes(world):
    world.fill.more_events(world.rooms["rich"][0], 20_000)
    before = all_rows(world, world.name)
    ours = identities(world, {room for kind in world.rooms.values() for room in kind})
    guarded = guard_of(world)
    running = start_exec(world, LINE.format("offline"))
    wait_until(lambda: guarded() or not running.running, 60, "the guard", 0.01)
    running.send(signal.SIGSTOP)
    try:
        assert running.running, running.text()
        world.synapse.start(wait=False)
        time.sleep(6)
        assert not can_connect(world.synapse.port), "it has not come as far as listening"
        waiting = world.synapse.sql_value(
            "SELECT count(*) FROM pg_locks WHERE relation = 'schema_compat_version'::regclass AND NOT granted"
        )
        assert waiting >= 1, "Synapse waits for the lock"
        world.synapse.kill()
    finally:
        running.send(signal.SIGCONT)
    running.kill()
    wait_until(lambda: not guarded(), 30, "the guard to end with its process")
    number = last_job(world)
    resumed = world.steward.exec(f"resume {number}", "--yes")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    rooms = {room for kind in world.rooms.values() for room in kind}
    assert not any(world.synapse.room_exists(room) for room in rooms)
    gone, new = compare(before, all_rows(world, world.name))
    assert new == {}
    for table, rows in gone.items():
        for row in rows:
            assert cells(row) & ours or "$more" in row, f"a row too many of {table}: {row}"


# hybrid


def start_hybrid(world, events):
    """The rich room is long enough to be met in the middle."""
    world.fill.more_events(world.rooms["rich"][0], events)
    alice = start_talking(world)
    card = alice.plan("!" + LINE.format("hybrid"))
    return alice, card


def wait_begun(world, number, room):
    """Until some of its events are gone."""
    def begun():
        note = world.synapse.sql_value("SELECT note FROM steward.job_item WHERE job = %s AND target = %s", (number, room))
        return note and "begun=1" in note and "events=" in note

    wait_until(begun, 60, "the room to be begun", 0.01)


def events_of(world, room):
    return world.synapse.sql_value("SELECT count(*) FROM events WHERE room_id = %s", (room,))


def blocked(world, room):
    return bool(world.synapse.sql_value("SELECT count(*) FROM blocked_rooms WHERE room_id = %s", (room,)))


def whole(world, room):
    """Of what is left of the room each event is whole: its JSON, its state group, its predecessors."""
    return (
        world.synapse.sql_value("SELECT count(*) FROM events e WHERE room_id = %s AND NOT EXISTS (SELECT 1 FROM event_json j WHERE j.event_id = e.event_id)", (room,)),
        world.synapse.sql_value("SELECT count(*) FROM event_json j WHERE room_id = %s AND NOT EXISTS (SELECT 1 FROM events e WHERE j.event_id = e.event_id)", (room,)),
        world.synapse.sql_value("SELECT count(*) FROM events e JOIN event_to_state_groups g USING (event_id) WHERE e.room_id = %s"
                                " AND NOT EXISTS (SELECT 1 FROM state_groups s WHERE s.id = g.state_group)", (room,)),
        world.synapse.sql_value("SELECT count(*) FROM events e JOIN event_edges x USING (event_id) WHERE e.room_id = %s"
                                " AND NOT EXISTS (SELECT 1 FROM events p WHERE p.event_id = x.prev_event_id)", (room,)),
    )  # fmt: skip


def test_paused_blocked_killed_and_finished(world):
    room = world.rooms["rich"][0]
    alice, card = start_hybrid(world, 30_000)
    number = card.plan_number
    alice.confirm(card)
    wait_begun(world, number, room)
    begin = time.monotonic()
    alice.send(f"!pause {number}")
    world.wait_job(number, "stopped", timeout=20)
    stopped_after = time.monotonic() - begin
    assert stopped_after < 5, "a second for the batch, the rest for the way through the room"
    left = events_of(world, room)
    assert 0 < left < 30_000 and blocked(world, room)
    assert whole(world, room) == (0, 0, 0, 0)
    receipt = alice.wait_receipt(number)
    assert "Partly emptied and blocked" in receipt.body and f"!resume {number}" in receipt.body
    with pytest.raises(ApiError):
        world.synapse.join(world.user("dave"), room)

    again = alice.ask(f"!resume {number}", timeout=60)
    number = last_job(world)
    assert again
    wait_until(lambda: events_of(world, room) < left, 60, "it to go on", 0.01)
    world.steward.kill()
    assert events_of(world, room) > 0 and whole(world, room) == (0, 0, 0, 0)
    world.steward.start()
    world.wait_job(number, "done", timeout=120)
    assert not world.synapse.room_exists(room) and world.synapse.leftovers(room) == {}
    assert not blocked(world, room) and blocked(world, world.rooms["blocked"][0])
    assert world.deletions(room) == 1
    receipt = alice.wait_receipt(number)
    gone = world.synapse.sql_value("SELECT error FROM steward.job_item WHERE job = %s AND target = %s", (number, room))
    assert "event_json=" in gone and receipt


def test_a_lock_of_somebody_else_is_waited_for(world):
    room = world.rooms["rich"][0]
    alice, card = start_hybrid(world, 1000)
    with world.postgres.connect(world.name) as other, other.cursor() as cursor:
        other.autocommit = False
        cursor.execute("SELECT 1 FROM events WHERE room_id = %s AND type = 'm.room.message' FOR UPDATE", (room,))
        alice.confirm(card)
        time.sleep(10)
        assert world.synapse.room_exists(room) and world.job(card.plan_number)["state"] == "running"
        other.rollback()
    world.wait_job(card.plan_number, "done", timeout=60)
    assert not world.synapse.room_exists(room) and not blocked(world, room)


def test_who_joins_with_the_block_keeps_the_room(world):
    """The join is stored in the very moment of the block: seen by the look after it, nothing is lost, the block is taken back."""
    room = world.rooms["rich"][0]
    bob = world.user("bob").user_id
    world.synapse.sql("""CREATE FUNCTION joins() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      UPDATE local_current_membership l SET membership = 'join', event_id = m.event_id, event_stream_ordering = m.event_stream_ordering
        FROM room_memberships m WHERE l.room_id = NEW.room_id AND l.user_id = m.user_id AND m.room_id = l.room_id AND m.membership = 'join';
      RETURN NEW; END $$""")
    world.synapse.sql(f"CREATE TRIGGER joins AFTER INSERT ON blocked_rooms FOR EACH ROW WHEN (NEW.room_id = '{room}') EXECUTE FUNCTION joins()")
    before = events_of(world, room)
    alice, card = start_hybrid(world, 100)
    alice.confirm(card)
    world.wait_job(card.plan_number, "done", timeout=60)
    assert world.items(card.plan_number)[room] == "kept"
    assert events_of(world, room) == before + 100 and not blocked(world, room)
    assert world.synapse.sql_value("SELECT membership FROM local_current_membership WHERE room_id = %s AND user_id = %s", (room, bob)) == "join"
    assert "someone joined" in alice.wait_receipt(card.plan_number)
    assert not any(world.synapse.room_exists(other) for other in world.rooms["small"])
