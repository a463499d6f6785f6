"""The lists and cards about media and rooms on a real Synapse: what they say is what its database holds."""

import json

import pytest

from support.synapse import ON_OLDEST


@pytest.fixture(scope="module")
def world(new_world):
    made = new_world()
    made.start()
    bob, carol = made.user("bob"), made.user("carol")
    made.bob_files = made.fill.media(bob, 3, 20_000, age_days=90)
    made.carol_files = made.fill.media(carol, 12, 2_000, age_days=5)
    made.cached = made.fill.remote_media(count=2, age_days=40, quarantined=True)
    made.fill.quarantine(made.bob_files[0])
    return made


def data(world, line):
    return json.loads(world.steward.exec(line, "--json", check=True).stdout)


def mxc(media_id, server="hs.test"):
    return f"mxc://{server}/{media_id}"


def ids(rows):
    return [row["media"] for row in rows]


# Media.


def test_list_media_has_every_file(world):
    real = world.synapse.sql("SELECT media_id, media_length, user_id FROM local_media_repository WHERE media_length IS NOT NULL")
    rows = data(world, "list-media --sort size")
    assert {(row["media"], row["bytes"], row["uploader"]) for row in rows} == {(mxc(media), size, user or "") for media, size, user in real}
    assert [row["bytes"] for row in rows] == sorted((row["bytes"] for row in rows), reverse=True)
    assert set(ids(data(world, "list-media --older 30d"))) == {mxc(media) for media in world.bob_files}
    assert set(ids(data(world, "list-media @carol --min-size 1k"))) == {mxc(media) for media in world.carol_files}
    assert set(ids(data(world, "list-media --remote"))) == {mxc(media, "far.example") for media in world.cached}


def test_list_media_in_pages_and_its_handles(world):
    first = world.alice.ask("!list-media @carol", "12 files", "page 1 of 2", "--page 2")
    assert "m10 " in first and "m11 " not in first
    second = world.alice.ask("!list-media @carol --page 2", "page 2 of 2")
    assert "m2 " in second and "m3 " not in second
    assert any(mxc(media) in world.alice.ask("!media m2", "carol") for media in world.carol_files)


def test_list_media_of_a_room_is_what_its_messages_name(world):
    carol, named = world.user("carol"), world.carol_files[4]
    room = world.fill.room(carol, name="Pictures")
    content = {"msgtype": "m.file", "body": "a file", "url": mxc(named)}
    world.synapse.client("PUT", f"/rooms/{room}/send/m.room.message/named", content, carol)
    assert ids(data(world, f"list-media {room}")) == [mxc(named)]
    world.alice.ask(f"!list-media {room}", "1 file", "unencrypted messages")


def test_list_media_refuses_what_it_cannot_tell(world):
    world.alice.ask("!list-media @bob --remote", "do not go together")
    world.alice.ask("!list-media @nobody-here", "There is no user")


def test_list_quarantined(world):
    rows = data(world, "list-quarantined")
    assert set(ids(rows)) == {mxc(world.bob_files[0]), *(mxc(media, "far.example") for media in world.cached)}
    assert all(row["quarantined_by"] for row in rows)
    world.alice.ask("!list-quarantined", "3 files", "quarantined by @harness:hs.test")


def test_media_card(world):
    carol = world.user("carol")
    avatar = world.fill.avatar(carol)
    card = {row["field"]: row["value"] for row in data(world, f"media {mxc(avatar)}")}
    assert card["Uploaded by"] == carol.user_id and card["Type"] == "image/png" and carol.user_id in card["Picture of users"]
    known = "not known: this Synapse keeps no hashes of its files (1.128 does)" if ON_OLDEST else "nowhere else that is known"
    assert card["Quarantined"] == "no" and card["Same content"] == known
    assert "@" in world.alice.ask(f"!media {mxc(world.bob_files[0])}", "Quarantined").body
    world.alice.ask(f"!media {mxc(world.cached[0], 'far.example')}", "Cached from", "far.example", "@harness")
    world.alice.ask("!media mxc://hs.test/none", "no such file")


@pytest.mark.skipif(ON_OLDEST, reason="this Synapse keeps no hashes of its files")
def test_media_card_names_copies(world):
    carol = world.user("carol")
    one, two = (world.synapse.upload(carol, b"the same words", "text/plain", f"{name}.txt") for name in ("one", "two"))
    world.alice.ask(f"!media {mxc(one)}", mxc(two))


# One room.


@pytest.fixture(scope="module")
def crowd(world):
    """A room with people of every membership, its space, and an open end more than one."""
    bob, carol, dave, eve = (world.user(name) for name in ("bob", "carol", "dave", "eve"))
    room = world.fill.room(bob, carol, name="Crowd")
    world.synapse.invite(bob, room, dave)
    world.synapse.client("POST", f"/rooms/{room}/ban", {"user_id": eve.user_id}, bob)
    space = world.fill.room(bob, name="The space", creation_content={"type": "m.space"})
    taken_out = world.fill.room(bob, name="Taken out")
    for child, content in ((room, {"via": ["hs.test"]}), ("!elsewhere:far.example", {"via": ["far.example"]}), (taken_out, {})):
        world.synapse.set_state(bob, space, "m.space.child", content, child)
    return {"room": room, "space": space}


def test_members_are_those_of_the_room(world, crowd):
    rows = data(world, f"members {crowd['room']}")
    assert [(row["user"], row["membership"]) for row in rows] == [
        ("@bob:hs.test", "join"), ("@carol:hs.test", "join"), ("@eve:hs.test", "ban"), ("@dave:hs.test", "invite"),
    ]  # fmt: skip
    card = world.alice.ask(f"!members {crowd['room']}", "2 members, 2 of this server · 1 invited · 1 banned")
    assert "u1 @bob:hs.test" in card and "@dave:hs.test" in card


def test_members_of_a_room_that_is_not_known(world):
    assert "knows no room" in world.alice.ask("!members !nothing:hs.test")


def test_room_state_by_type_and_its_events(world, crowd):
    real = world.synapse.sql("SELECT type, state_key FROM current_state_events WHERE room_id = %s", (crowd["room"],))
    rows = data(world, f"room-state {crowd['room']}")
    assert {(row["type"], row["state_key"]) for row in rows} == set(real) and len(rows) == len(real)
    world.alice.ask(f"!room-state {crowd['room']}", "state events of", "m.room.member")
    card = world.alice.ask(f"!room-state {crowd['room']} m.room.name")
    assert "Crowd" in card and "@bob:hs.test" in card
    assert "no state of that type" in world.alice.ask(f"!room-state {crowd['room']} m.nothing")


def test_a_space_lists_its_rooms(world, crowd):
    rows = {row["room_id"]: row for row in data(world, f"space {crowd['space']}")}
    assert set(rows) == {crowd["room"], "!elsewhere:far.example"}
    assert rows[crowd["room"]]["name"] == "Crowd" and rows["!elsewhere:far.example"]["known"] == "no"
    card = world.alice.ask(f"!space {crowd['space']}", "2 rooms in this space")
    assert "Crowd · 2 members, 2 of this server" in card and "not on this server" in card
    assert "is not a space" in world.alice.ask(f"!space {crowd['room']}")


def test_extremities_of_a_room_and_of_the_server(world, crowd):
    room = crowd["room"]
    older = world.synapse.sql_value("SELECT event_id FROM events WHERE room_id = %s AND type = 'm.room.name'", (room,))
    world.synapse.sql("INSERT INTO event_forward_extremities (event_id, room_id) VALUES (%s, %s)", (older, room))
    try:
        real = {event for (event,) in world.synapse.sql("SELECT event_id FROM event_forward_extremities WHERE room_id = %s", (room,))}
        assert {row["event_id"] for row in data(world, f"extremities {room}")} == real and len(real) == 2
        assert {row["room_id"]: row["extremities"] for row in data(world, "extremities")} == {room: 2}
        assert "Crowd" in world.alice.ask("!extremities", "Rooms by open ends")
        assert "m.room.name by @bob:hs.test" in world.alice.ask("!extremities r1", "2 open ends")
    finally:
        world.synapse.sql("DELETE FROM event_forward_extremities WHERE event_id = %s AND room_id = %s", (older, room))
