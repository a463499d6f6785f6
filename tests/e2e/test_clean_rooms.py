"""!clean-rooms: what is chosen, what is kept and why, and that nothing outside of the confirmed plan ever goes."""

import pytest

from support.fill import now_ms


@pytest.fixture(scope="module")
def rooms(new_world):
    """A world with one room of every kind that is kept, and some that go; looked at without harm by most tests."""
    world = new_world().start()
    synapse, fill = world.synapse, world.fill
    bob, carol, dave = (world.user(name) for name in ("bob", "carol", "dave"))
    kinds = {}

    dead = fill.dead_room(bob, carol, name="Empty", messages=4)
    kinds["dead"] = [dead, *fill.copy_rooms(dead, 5)]
    kinds["left"] = [fill.dead_room(bob, carol, name="Not forgotten", forget=False)]
    kinds["recent"] = [fill.dead_room(bob, name="Left yesterday", age_days=1)]
    kinds["aliased"] = [fill.dead_room(bob, name="Aliased", room_alias_name="kept-alias")]
    kinds["space"] = [fill.dead_room(bob, name="Space", creation_content={"type": "m.space"})]

    invited = fill.room(bob, name="Invited")
    synapse.invite(bob, invited, carol)
    synapse.leave(bob, invited)
    fill.age_room(invited, 90)
    kinds["invite"] = [invited]

    upgraded = fill.room(bob, name="Upgraded")
    kinds["successor"] = [synapse.client("POST", f"/rooms/{upgraded}/upgrade", {"new_version": "11"}, bob)["replacement_room"]]
    synapse.leave(bob, upgraded)
    fill.age_room(upgraded, 90)
    kinds["upgraded"] = [upgraded]

    child, parent = fill.room(bob, name="Child"), fill.room(carol, name="Parent", creation_content={"type": "m.space"})
    synapse.set_state(carol, parent, "m.space.child", {"via": ["hs.test"]}, child)
    synapse.leave(bob, child)
    fill.age_room(child, 90)
    kinds["space child"] = [child]

    reported = fill.room(bob, carol, name="Reported")
    event = synapse.send(bob, reported, "bad words")
    synapse.client("POST", f"/rooms/{reported}/report/{event}", {"reason": "rude"}, carol)
    for user in (bob, carol):
        synapse.leave(user, reported)
    fill.age_room(reported, 90)
    kinds["reported"] = [reported]

    blocked = fill.dead_room(bob, name="Blocked")
    synapse.admin("PUT", f"/v1/rooms/{blocked}/block", {"block": True})
    kinds["blocked"] = [blocked]

    kinds["live"] = [fill.room(dave, name="Alive", messages=2)]
    fill.age_room(kinds["live"][0], 400)
    published = fill.dead_room(bob, name="Published")
    synapse.sql("UPDATE rooms SET is_public = true WHERE room_id = %s", (published,))
    kinds["published"] = [published]
    world.kinds = kinds
    return world


def targets(items):
    return set(items)


def test_dry_run_counts_every_reason(rooms):
    """Must show 5: each room kept with its reason."""
    answer = rooms.alice.ask("!clean-rooms --dry-run", timeout=60)
    for reason in ("invite", "left", "alias", "space", "upgraded", "reported", "blocked", "published"):
        assert reason in answer, f"{reason} is missing in:\n{answer.body}"
    assert "6" in answer.body and answer.plan_number is None
    assert all(rooms.synapse.room_exists(room) for kind in rooms.kinds.values() for room in kind)


# What !room says of a room of each kind.
KEPT = {"left": "left but not forgotten", "recent": "used too recently", "aliased": "with a local alias", "space": "spaces or listed in one",
        "invite": "with an invited local user", "upgraded": "upgraded to a newer room", "space child": "spaces or listed in one",
        "reported": "with an abuse report", "blocked": "blocked by an admin", "published": "published in the directory",
        "live": "with a local member"}  # fmt: skip


@pytest.mark.parametrize("kind", KEPT)
def test_each_room_is_kept_for_its_own_reason(rooms, kind):
    """Must show 5: the reason belongs to the very room, not only to the count of the plan."""
    assert f"kept: {KEPT[kind]}" in rooms.alice.ask(f"!room {rooms.kinds[kind][0]}", timeout=60)


def test_the_admin_room_is_protected(rooms):
    """Must show 5: also when everybody but the bot has left it."""
    answer = rooms.alice.ask(f"!room {rooms.room}", timeout=60)
    assert "kept:" in answer and "protected" in answer


def test_plan_takes_only_the_abandoned(rooms):
    card, items = rooms.plan_only("!clean-rooms")
    assert targets(items) == set(rooms.kinds["dead"])
    assert rooms.room not in items
    number = card.plan_number
    assert rooms.job(number)["level"] == 4


INCLUDES = {"left": ["left"], "aliased": ["aliased"], "published": ["published"], "spaces": ["space", "space child"],
            "upgraded": ["upgraded"], "reported": ["reported"], "blocked": ["blocked"]}  # fmt: skip


@pytest.mark.parametrize("include", INCLUDES)
def test_include_takes_that_kind_and_no_other(rooms, include):
    """Must show 5: `--include left` takes the second and no other."""
    _, items = rooms.plan_only(f"!clean-rooms --include {include}")
    wanted = {room for kind in ["dead", *INCLUDES[include]] for room in rooms.kinds[kind]}
    assert targets(items) == wanted


@pytest.mark.parametrize("include", ["invited", "invite", "protected", "knocked"])
def test_include_never_takes_invited_or_protected(rooms, include):
    answer = rooms.alice.ask(f"!clean-rooms --include {include}", timeout=60)
    assert answer.plan_number is None


def test_older(rooms):
    _, items = rooms.plan_only("!clean-rooms --older 12h")
    assert targets(items) == set(rooms.kinds["dead"] + rooms.kinds["recent"])


def test_limit_and_keep(rooms):
    _, items = rooms.plan_only("!clean-rooms --limit 2")
    assert len(items) == 2 and targets(items) <= set(rooms.kinds["dead"])
    kept = rooms.kinds["dead"][0]
    _, items = rooms.plan_only(f"!clean-rooms --keep {kept}")
    assert targets(items) == set(rooms.kinds["dead"][1:])


def test_keep_by_config(rooms):
    rooms.steward.change_config(rooms={"keep": [rooms.kinds["dead"][1]]})
    rooms.steward.restart()
    try:
        _, items = rooms.plan_only("!clean-rooms")
        assert rooms.kinds["dead"][1] not in items
    finally:
        rooms.steward.change_config(rooms={"keep": []})
        rooms.steward.restart()


def test_list_rooms_empty(rooms):
    answer = rooms.alice.ask("!list-rooms --empty", timeout=60)
    assert answer.body.strip()


def test_pending_background_update_stops_it(rooms):
    """The room tables are being rebuilt: nothing is deleted then, and the update is named."""
    rooms.synapse.sql("INSERT INTO background_updates (update_name, progress_json) VALUES ('a_pending_update', '{}')")
    try:
        answer = rooms.alice.ask("!clean-rooms", timeout=60)
        assert "a_pending_update" in answer.body and answer.plan_number is None
    finally:
        rooms.synapse.sql("DELETE FROM background_updates WHERE update_name = 'a_pending_update'")


def test_a_table_the_bot_does_not_know_stops_it(rooms):
    rooms.synapse.sql("CREATE TABLE unknown_to_the_bot (event_id text REFERENCES events (event_id))")
    try:
        answer = rooms.alice.ask("!clean-rooms", timeout=60)
        assert "unknown_to_the_bot" in answer.body and answer.plan_number is None
    finally:
        rooms.synapse.sql("DROP TABLE unknown_to_the_bot")


def test_z_the_plan_is_done_and_no_more(rooms):
    """Runs last here: the dead rooms go with all their rows, everything else stays."""
    kept = {room for kind, members in rooms.kinds.items() if kind != "dead" for room in members}
    before = rooms.synapse.sql_value("SELECT count(*) FROM rooms")
    card, job = rooms.carry_out("!clean-rooms")
    dead = rooms.kinds["dead"]
    assert not any(rooms.synapse.room_exists(room) for room in dead)
    assert all(rooms.synapse.room_exists(room) for room in kept)
    assert rooms.synapse.sql_value("SELECT count(*) FROM rooms") == before - len(dead)
    for room in dead:
        assert rooms.synapse.leftovers(room) == {}
    assert all(count == 1 for room, count in rooms.deletions().items() if room in dead)
    receipt = rooms.alice.wait_receipt(card.plan_number)
    assert str(len(dead)) in receipt.body
    assert job["confirmed_by"] == "@alice:hs.test"


def test_join_between_plan_and_confirmation_keeps_the_room(new_world):
    """Must show 4: the room is kept, the user is not kicked, the receipt names the room and why."""
    world = new_world().start()
    dead = world.fill.dead_room(world.user("bob"), name="Comes back")
    others = world.fill.copy_rooms(world.fill.dead_room(world.user("bob"), name="Gone"), 2)
    card = world.alice.plan("!clean-rooms")
    assert dead in world.items(card.plan_number)
    rejoined = bring_back(world, dead)
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "done")
    assert world.synapse.room_exists(dead) and not any(world.synapse.room_exists(room) for room in others)
    assert world.items(card.plan_number)[dead] == "kept"
    assert world.deletions(dead) == 0
    assert rejoined()
    receipt = world.alice.wait_receipt(card.plan_number)
    assert "Comes back" in receipt.body or dead[:12] in receipt.body


def bring_back(world, room):
    """A user is joined again. An abandoned room cannot be joined locally any more, so the rows of a join are written."""
    bob = world.user("bob").user_id
    event, position = world.synapse.sql(
        "SELECT event_id, event_stream_ordering FROM room_memberships WHERE room_id = %s AND user_id = %s AND membership = 'join'",
        (room, bob),
    )[0]
    world.synapse.sql(
        "UPDATE local_current_membership SET membership = 'join', event_id = %s, event_stream_ordering = %s"
        " WHERE room_id = %s AND user_id = %s", (event, position, room, bob)
    )  # fmt: skip
    world.synapse.sql(
        "INSERT INTO current_state_events (event_id, room_id, type, state_key, membership, event_stream_ordering)"
        " VALUES (%s, %s, 'm.room.member', %s, 'join', %s) ON CONFLICT DO NOTHING", (event, room, bob, position)
    )  # fmt: skip
    return lambda: world.synapse.sql_value(
        "SELECT membership FROM local_current_membership WHERE room_id = %s AND user_id = %s", (room, bob)
    ) == "join"


def test_new_message_or_report_between_plan_and_confirmation_keeps_the_room(new_world):
    world = new_world().start()
    rooms = world.fill.copy_rooms(world.fill.dead_room(world.user("bob"), name="Two"), 2)
    card = world.alice.plan("!clean-rooms")
    world.synapse.sql("UPDATE events SET received_ts = %s WHERE room_id = %s AND type = 'm.room.member'", (now_ms(), rooms[0]))
    world.synapse.sql(
        "INSERT INTO event_reports (id, received_ts, room_id, event_id, user_id, reason, content)"
        " VALUES (991, 1, %s, 'x', '@carol:hs.test', 'r', '{}')", (rooms[1],)
    )  # fmt: skip
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "done")
    assert all(world.synapse.room_exists(room) for room in rooms)
    assert {world.items(card.plan_number)[room] for room in rooms} == {"kept"}


def test_refuses_when_most_rooms_would_go(new_world):
    """Over half of all rooms without a local member is more likely a fault than a wish."""
    world = new_world().start()
    dead = world.fill.dead_room(world.user("bob"), name="Many")
    total = world.synapse.sql_value("SELECT count(*) FROM rooms")
    world.fill.copy_rooms(dead, total + 5)
    answer = world.alice.ask("!clean-rooms", timeout=60)
    assert answer.plan_number is None and "half" in answer


def test_refuses_when_memberships_disagree(new_world):
    """Synapse's table of local memberships lost rows: living rooms look abandoned, its own statistics say otherwise."""
    world = new_world().start()
    world.fill.dead_room(world.user("bob"), name="One")
    lost = "SELECT room_id FROM local_current_membership WHERE user_id = '@carol:hs.test' AND membership = 'join' ORDER BY 1 LIMIT 12"
    world.synapse.sql(
        f"WITH lost AS ({lost}) DELETE FROM local_current_membership WHERE membership = 'join' AND room_id IN (SELECT room_id FROM lost)"
    )
    answer = world.alice.ask("!clean-rooms", timeout=60)
    assert answer.plan_number is None, answer.body
