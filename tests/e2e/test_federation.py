"""Two real servers: a purged room with a retention setting can be joined again, and its history comes back (must show 6)."""

import time

import pytest

from support.client import Admin
from support.fill import Filler
from support.process import wait_until
from support.steward import Steward
from support.synapse import Synapse


@pytest.fixture(scope="module")
def servers(postgres, built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("federation")
    here = Synapse.federating(folder / "here", postgres, "federation_here")
    there = Synapse.federating(folder / "there", postgres, "federation_there")
    steward = Steward(folder / "steward", here, [f"@alice:{here.server_name}"])
    here.start()
    there.start()
    for name in ("alice", "bob", "carol"):
        here.register(name)
    there.register("remote")
    here.wait_background_updates()
    filler = Filler(here)
    living = filler.room(here.users["carol"], here.users["bob"], name="Living")
    filler.copy_rooms(living, 10)
    steward.install()
    steward.start()
    admin = Admin(here, here.users["alice"], steward.user_id).connect()
    admin.join_admin_room(60)
    yield here, there, steward, admin
    admin.close()
    steward.stop()
    here.stop()
    there.stop()
    for database in ("federation_here", "federation_there"):
        postgres.drop(database)


def test_a_purged_room_can_be_joined_again(servers):
    here, there, _, admin = servers
    remote, bob = there.users["remote"], here.users["bob"]
    room = there.create_room(remote, preset="public_chat", name="Far room", room_alias_name="far")
    there.set_state(remote, room, "m.room.retention", {"max_lifetime": 365 * 86_400_000})
    for number in range(10):
        there.send(remote, room, {"msgtype": "m.text", "body": f"labelled {number}", "org.matrix.labels": ["#work"]})

    def join():
        here.join(bob, f"#far:{there.server_name}", via=there.server_name)
        return here.client("GET", f"/rooms/{room}/messages", token=bob, dir="b", limit=50)["chunk"]

    seen = wait_until(lambda: len(join()) >= 10 and join(), 60, "the history over federation", 1)
    here.leave(bob, room)
    Filler(here).age_room(room, 90)
    here.sql("ANALYZE")
    card = admin.plan("!clean-rooms", timeout=60)
    number = card.plan_number
    targets = {target for (target,) in here.sql("SELECT target FROM steward.job_item WHERE job = %s", (number,))}
    assert targets == {room}
    admin.confirm(card)
    wait_until(lambda: here.sql_value("SELECT state FROM steward.job WHERE number = %s", (number,)) == "done", 120, "the job")
    assert here.leftovers(room) == {}
    again = wait_until(lambda: len(join()) >= len(seen) - 2 and join(), 60, "the room to be joined again", 1)
    bodies = {event["content"].get("body") for event in again}
    assert {f"labelled {number}" for number in range(10)} <= bodies
    assert not [line for line in here.log_path.read_text().splitlines() if "pkey" in line and "ERROR" in line]


def test_who_joins_between_plan_and_confirmation_keeps_the_room(servers):
    """Must show 4: a real join over federation; the member stays, the receipt names the room and why, the other room goes."""
    here, there, _, admin = servers
    remote, bob, carol = there.users["remote"], here.users["bob"], here.users["carol"]
    rooms = {name: there.create_room(remote, preset="public_chat", name=name, room_alias_name=name) for name in ("returning", "abandoned")}
    for name, room in rooms.items():
        here.join(bob, f"#{name}:{there.server_name}", via=there.server_name)
        here.leave(bob, room)
        Filler(here).age_room(room, 90)
    card = admin.plan("!clean-rooms", timeout=60)
    number = card.plan_number
    planned = {target for (target,) in here.sql("SELECT target FROM steward.job_item WHERE job = %s", (number,))}
    assert planned == set(rooms.values())
    here.join(carol, f"#returning:{there.server_name}", via=there.server_name)
    admin.confirm(card)
    receipt = admin.wait_receipt(number, timeout=120)
    assert "Kept: returning" in receipt and "someone joined" in receipt
    assert here.room_exists(rooms["returning"]) and not here.room_exists(rooms["abandoned"])
    assert here.sql_value("SELECT membership FROM local_current_membership WHERE room_id = %s AND user_id = %s",
                          (rooms["returning"], carol.user_id)) == "join"  # fmt: skip
    here.leave(carol, rooms["returning"])


def test_a_remote_user_named_admin_is_no_admin(servers):
    """A remote person who got into the room: refused."""
    here, there, steward, admin = servers
    guest = there.register("alice")
    room = admin.room
    # The room is not federated: a remote user cannot even be invited.
    answer = None
    try:
        here.client("POST", f"/rooms/{room}/invite", {"user_id": guest.user_id}, steward.registration["as_token"], user_id=steward.user_id)
    except Exception as refused:
        answer = refused
    assert answer is not None
    before, last = here.sql_value("SELECT count(*) FROM steward.job"), admin.conversation[-1]
    for number in range(2):
        event = {
            "event_id": f"$remote{number}", "room_id": room, "sender": guest.user_id, "type": "m.room.message",
            "content": {"msgtype": "m.text", "body": "!clean-rooms"}, "unsigned": {"age": 1},
        }  # fmt: skip
        steward.push([event])
    wait_until(lambda: here.sql_value("SELECT count(*) FROM steward.audit WHERE actor = %s AND outcome LIKE 'refused%%'", (guest.user_id,)) == 2,
               20, "both refusals in the audit")  # fmt: skip
    said = admin.stays_silent(last, 2)
    assert len(said) == 1 and "not a user of" in said[0], "one notice an hour, with the reason"
    assert here.sql_value("SELECT count(*) FROM steward.job") == before


def test_an_invitation_over_federation_is_rejected(servers):
    here, there, steward, _ = servers
    room = there.create_room(there.users["remote"], name="Trap")
    there.invite(there.users["remote"], room, steward.user_id)
    wait_until(
        lambda: here.sql_value("SELECT membership FROM local_current_membership WHERE room_id = %s AND user_id = %s", (room, steward.user_id)) == "leave",
        30, "the rejection",
    )  # fmt: skip


def test_a_pending_invitation_from_afar_keeps_the_room(servers):
    """The room list API never shows such a room; the bot's own choice knows it and never deletes it."""
    here, there, _, admin = servers
    room = there.create_room(there.users["remote"], name="Waiting")
    there.invite(there.users["remote"], room, here.users["carol"])
    wait_until(lambda: here.room_exists(room), 30, "the invitation")
    here.sql("UPDATE events SET received_ts = 1000 WHERE room_id = %s", (room,))
    answer = admin.ask("!clean-rooms", timeout=60)
    if answer.plan_number:
        targets = {target for (target,) in here.sql("SELECT target FROM steward.job_item WHERE job = %s", (answer.plan_number,))}
        assert room not in targets
        admin.send(f"no {answer.plan_number}")
    assert here.room_exists(room)
