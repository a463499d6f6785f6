"""The lists and cards about media and rooms on a real Synapse: what they say is what its database holds."""

import json

import pytest


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
    assert card["Quarantined"] == "no" and card["Same content"] == "nowhere else that is known"
    assert "@" in world.alice.ask(f"!media {mxc(world.bob_files[0])}", "Quarantined").body
    world.alice.ask(f"!media {mxc(world.cached[0], 'far.example')}", "Cached from", "far.example", "@harness")
    world.alice.ask("!media mxc://hs.test/none", "no such file")


def test_media_card_names_copies(world):
    carol = world.user("carol")
    one, two = (world.synapse.upload(carol, b"the same words", "text/plain", f"{name}.txt") for name in ("one", "two"))
    world.alice.ask(f"!media {mxc(one)}", mxc(two))
