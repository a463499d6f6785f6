"""!compress-state on a real Synapse that goes on storing events: fewer rows, every state equal, the room still works."""

import threading
import time

import pytest

from support.process import patience, wait_until

import pytest

from support.synapse import ON_OLDEST

pytestmark = pytest.mark.skipif(ON_OLDEST, reason="refused there by name: schema 84 cannot be told of changed state groups (tests/db)")

CHANGES = 320

# The full state of every group of a room, by SQL that knows nothing of the bot's.
STATES = """
WITH RECURSIVE chain AS (
  SELECT id AS start, id AS at FROM state_groups WHERE room_id = %s
  UNION ALL SELECT c.start, e.prev_state_group FROM chain c, state_group_edges e WHERE e.state_group = c.at),
held AS (SELECT c.start, s.type, s.state_key, (array_agg(s.event_id ORDER BY c.at DESC))[1] AS event_id
  FROM chain c JOIN state_groups_state s ON s.state_group = c.at GROUP BY 1, 2, 3)
SELECT start, md5(string_agg(type || '|' || state_key || '|' || event_id, ',' ORDER BY type, state_key)) FROM held GROUP BY start"""

SNAPSHOTS = "SELECT count(*) FROM state_groups g WHERE room_id = %s AND NOT EXISTS (SELECT 1 FROM state_group_edges e WHERE e.state_group = g.id)"


def busy_room(world):
    """Many keys first, then many changes, so that each full state that Synapse stores in between is long."""
    bob = world.user("bob")
    room = world.fill.room(bob, world.user("carol"), name="Busy")
    for number in range(CHANGES):
        key = number if number < 80 else number % 7
        world.synapse.set_state(bob, room, "org.example.key", {"number": number}, f"key {key}")
    return room


def states(world, room):
    return dict(world.synapse.sql(STATES, (room,)))


def rows(world, room):
    return world.synapse.sql_value("SELECT count(*) FROM state_groups_state WHERE room_id = %s", (room,))


def current_state(world, room):
    """What a member sees, by the API."""
    events = world.synapse.client("GET", f"/rooms/{room}/state", None, world.user("bob"))
    return {(event["type"], event["state_key"]): event["event_id"] for event in events}


def test_compressed_while_synapse_stores_events(world):
    synapse, bob = world.synapse, world.user("bob")
    room = busy_room(world)
    assert synapse.sql_value(SNAPSHOTS, (room,)) >= 3, "Synapse stores full states in between, else there is nothing to gain"
    before, held, seen = rows(world, room), states(world, room), current_state(world, room)

    dry = world.alice.ask(f"!compress-state {room} --dry-run", timeout=60)
    assert "rows" in dry and dry.plan_number is None
    assert rows(world, room) == before

    card = world.alice.plan(f"!compress-state {room}")
    done, stored, problems = threading.Event(), [], []

    def go_on():
        number = 0
        while not done.is_set():
            number += 1
            try:
                stored.append(synapse.set_state(bob, room, "org.example.meanwhile", {"number": number}, f"meanwhile {number % 5}"))
                stored.append(synapse.send(bob, room, f"message {number}"))
            except Exception as problem:  # told by the main thread
                problems.append(problem)
                return

    talker = threading.Thread(target=go_on)
    talker.start()
    try:
        world.alice.confirm(card)
        world.wait_job(card.plan_number, "done", timeout=120)
    finally:
        done.set()
        talker.join()
    assert not problems and stored

    after = states(world, room)
    assert {group: after.get(group) for group in held} == held
    fewer = before - rows_of(world, held)
    assert fewer > 0
    assert synapse.sql("SELECT state, rows FROM steward.job_item WHERE job = %s", (card.plan_number,)) == [("done", fewer)]
    assert f"{fewer} rows fewer" in world.alice.wait_receipt(card.plan_number).body.replace("\u202f", "")
    dangling = "SELECT count(*) FROM state_group_edges e WHERE NOT EXISTS (SELECT 1 FROM state_groups g WHERE g.id = e.prev_state_group)"
    assert synapse.sql_value(dangling) == 0

    now = current_state(world, room)
    assert {key: event for key, event in now.items() if not key[0].endswith("meanwhile")} == seen


def rows_of(world, groups):
    return world.synapse.sql_value("SELECT count(*) FROM state_groups_state WHERE state_group = ANY (%s)", (list(groups),))


def test_the_room_works_after_a_restart_without_caches(world):
    """Synapse reads the rewritten groups anew: history, a message, a join, state of old events."""
    synapse, bob, dave = world.synapse, world.user("bob"), world.user("dave")
    room = busy_room(world)
    seen = current_state(world, room)
    messages = synapse.client("GET", f"/rooms/{room}/messages", None, bob, dir="b", limit=200)["chunk"]
    old = messages[-1]["event_id"]
    context = synapse.client("GET", f"/rooms/{room}/context/{old}", None, bob)
    card, _ = world.carry_out(f"!compress-state {room}")
    world.alice.wait_receipt(card.plan_number)
    synapse.restart()
    assert current_state(world, room) == seen
    again = synapse.client("GET", f"/rooms/{room}/context/{old}", None, bob)
    assert {event["event_id"] for event in again["state"]} == {event["event_id"] for event in context["state"]}
    synapse.invite(bob, room, dave)
    synapse.join(dave, room)
    assert synapse.send(dave, room, "here I am")
    assert synapse.send(world.user("carol"), room, "welcome")
    assert synapse.set_state(bob, room, "m.room.topic", {"topic": "after"})
    assert current_state(world, room)[("m.room.member", dave.user_id)]


def test_nothing_to_gain_is_said(world):
    room = world.fill.room(world.user("bob"), name="Quiet")
    answer = world.alice.ask(f"!compress-state {room} --dry-run", "1 room looked at", timeout=60)
    assert "no fewer rows" in answer and answer.plan_number is None


# Stopped in the middle. Rooms written by SQL, because of their size.

LARGE = """
DO $$
DECLARE g int; id bigint; before bigint;
BEGIN
  INSERT INTO rooms (room_id, is_public, creator, room_version) VALUES ('{room}', false, '@bob:hs.test', '10');
  FOR g IN 1..1000 LOOP
    id := nextval('state_group_id_seq');
    INSERT INTO state_groups VALUES (id, '{room}', '$e' || id);
    IF g % 10 = 1 THEN
      INSERT INTO state_groups_state SELECT id, '{room}', 'm.room.member', '@u' || m, '$m' || m || '_' || (g - m + 500) / 500 FROM generate_series(0, 499) m;
    ELSE
      INSERT INTO state_group_edges VALUES (id, before);
      INSERT INTO state_groups_state VALUES (id, '{room}', 'm.room.member', '@u' || g % 500, '$m' || g % 500 || '_' || (g - g % 500 + 500) / 500);
    END IF;
    before := id;
  END LOOP;
END $$"""


def large_room(world, name):
    room = f"!{name}:hs.test"
    world.synapse.sql(LARGE.format(room=room))
    world.synapse.sql("ANALYZE state_groups, state_group_edges, state_groups_state")
    return room


class HeldUp:
    """A job of which a part is committed and the next waits for a row that somebody else holds."""

    def __init__(self, world, room):
        self.world, self.room = world, room
        self.before, self.held = rows(world, room), states(world, room)
        card = world.alice.plan(f"!compress-state {room}")
        self.card, self.number = card, card.plan_number
        self.wanted = world.synapse.sql_value("SELECT sum(rows) FROM steward.job_item WHERE job = %s", (self.number,))
        self._opened = world.synapse.postgres.connect(world.synapse.database)
        self.holder = self._opened.__enter__()
        self.holder.autocommit = False
        # As Synapse does when it is about to delete them.
        self.holder.cursor().execute(
            "SELECT id FROM state_groups WHERE room_id = %s AND id > (SELECT min(id) + 600 FROM state_groups WHERE room_id = %s) FOR UPDATE", (room, room)
        )
        world.alice.confirm(card)
        world.wait_job(self.number, "running")
        wait_until(lambda: rows(world, room) < self.before, 60, "the first transaction", 0.02)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'synapse-steward work' AND wait_event_type = 'Lock'"
        wait_until(lambda: world.synapse.sql_value(waits), 30, "the bot to wait for the row", 0.02)

    def let_go(self):
        self.holder.rollback()
        self._opened.__exit__(None, None, None)

    def check_part(self):
        left = rows(self.world, self.room)
        assert self.before - self.wanted < left < self.before, "a part is done"
        assert states(self.world, self.room) == self.held

    def check_all(self):
        assert self.before - rows(self.world, self.room) == self.wanted
        assert states(self.world, self.room) == self.held


def test_cancelled_in_the_middle(world):
    work = HeldUp(world, large_room(world, "cancelled"))
    started = time.monotonic()
    world.alice.send(f"!cancel {work.number}")
    world.wait_job(work.number, "stopped", timeout=15)
    assert time.monotonic() - started < 2 * patience()
    work.let_go()
    work.check_part()
    receipt = world.alice.wait_receipt(work.number)
    assert "Left: 1 room" in receipt
    # A new plan takes just the rest.
    rest = work.wanted - (work.before - rows(world, work.room))
    card, _ = world.carry_out(f"!compress-state {work.room}")
    assert world.synapse.sql("SELECT state, rows FROM steward.job_item WHERE job = %s", (card.plan_number,)) == [("done", rest)]
    work.check_all()


def test_paused_and_resumed(world):
    work = HeldUp(world, large_room(world, "paused"))
    world.alice.send(f"!pause {work.number}")
    world.wait_job(work.number, "stopped", timeout=15)
    work.let_go()
    left = rows(world, work.room)
    time.sleep(1)
    assert rows(world, work.room) == left
    work.check_part()
    world.alice.send(f"!resume {work.number}")
    resumed = wait_until(lambda: max((job["number"] for job in world.jobs() if job["number"] > work.number), default=None), 30, "the job that goes on")
    world.wait_job(resumed, "done", timeout=60)
    work.check_all()
    told = world.alice.wait_receipt(resumed).body.replace("\u202f", "")
    assert f"{left - rows(world, work.room)} rows fewer in 1 room" in told
    assert "!vacuum state_groups_state" in told and "!vacuum-full state_groups_state would return" in told


def test_killed_in_the_middle(world):
    work = HeldUp(world, large_room(world, "killed"))
    world.steward.kill()
    work.let_go()
    work.check_part()
    world.steward.start()
    world.wait_job(work.number, "done", timeout=120)
    work.check_all()
    assert world.synapse.sql("SELECT state, done_rows FROM steward.job_item WHERE job = %s", (work.number,)) == [("done", work.wanted)]


@pytest.mark.parametrize(
    "broken, why",
    [
        ("INSERT INTO state_group_edges SELECT min(id), min(id) + 2 FROM state_groups WHERE room_id = %s", "circle"),
        ("UPDATE state_group_edges SET prev_state_group = 7 WHERE state_group = (SELECT min(id) + 1 FROM state_groups WHERE room_id = %s)", "missing"),
    ],
)
def test_a_room_that_makes_no_sense_is_refused_by_name(world, broken, why):
    """It alone: without a room the largest are looked at, and the others come as they are."""
    room, fine = large_room(world, f"broken-{why}"), large_room(world, f"fine-{why}")
    world.synapse.sql(broken, (room,))
    answer = world.alice.ask("!compress-state --dry-run", room, timeout=60)
    assert f"Left alone: {room}" in answer and why in answer
    assert f"{fine}: " in answer and answer.plan_number is None
    before = rows(world, room)
    assert f"Left alone: {room}" in world.alice.ask(f"!compress-state {room}", "Left alone", timeout=60)
    assert rows(world, room) == before
