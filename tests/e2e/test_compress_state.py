"""!compress-state on a real Synapse that goes on storing events: fewer rows, every state equal, the room still works."""

import threading

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


def test_without_a_room_the_largest_are_looked_at(world):
    room = busy_room(world)
    answer = world.alice.ask("!compress-state --dry-run", room, timeout=60)
    assert "→" in answer and answer.plan_number is None
