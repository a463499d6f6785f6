"""Who may command: the config's admins, those they let in, nobody by membership, name or power level."""

import pytest

from support.synapse import ON_OLDEST


@pytest.fixture(scope="module")
def staffed(new_world):
    """alice is the only admin; carol, dave and eve are brought into the room by her."""
    world = new_world(admins=("alice",)).start()
    synapse, room = world.synapse, world.room
    # Only admins can invite, by power; the harness gives alice that power as the bot would on request.
    for name in ("carol", "dave", "eve"):
        bring_in(world, name)
    world.fill.media(world.user("bob"), 40, 10_000, age_days=1)
    world.old = world.fill.media(world.user("bob"), 2, 1_000)
    assert synapse.client("GET", f"/rooms/{room}/joined_members", token=world.user("alice"))["joined"]
    return world


def bring_in(world, name):
    """The bot (its as_token) invites a person, as it does for `!allow`; he joins with his own client."""
    user = world.user(name)
    world.synapse.client(
        "POST", f"/rooms/{world.room}/invite", {"user_id": user.user_id}, world.steward.registration["as_token"],
        user_id=world.steward.user_id,
    )  # fmt: skip
    client = world.client(name)
    client.enter(world.room)
    return client


def test_membership_gives_no_right(staffed):
    carol = staffed.clients["carol"]
    event = carol.send("!purge-media 30d --dry-run")
    refusal = carol.wait_message("may not command", "no role", after=event)
    again = carol.send("!purge-media 30d")
    assert carol.stays_silent(again, 2) == [], "one notice an hour"
    assert len(carol.bot_messages(event)) == 1 and refusal.plan_number is None
    assert len(refusals(staffed, event, again)) == 2


def refusals(world, *events):
    """What the audit says of refused events."""
    rows = world.synapse.sql("SELECT outcome FROM steward.audit WHERE event_id = ANY(%s)", (list(events),))
    assert all(outcome.startswith("refused") for (outcome,) in rows), rows
    return [outcome for (outcome,) in rows]


def test_a_name_gives_no_right(staffed):
    eve = staffed.user("eve")
    staffed.synapse.client("PUT", f"/profile/{eve.user_id}/displayname", {"displayname": "alice"}, eve)
    client = staffed.clients["eve"]
    event = client.send("!purge-media 30d")
    assert client.wait_message("may not command", "no role", after=event).plan_number is None
    assert len(client.stays_silent(event, 2)) == 1 and len(refusals(staffed, event)) == 1


def test_allow_reader(staffed):
    answer = staffed.alice.ask("!allow @carol:hs.test reader")
    if answer.plan_number:
        staffed.alice.confirm(answer)
    carol = staffed.clients["carol"]
    carol.wait_for(lambda: staffed.synapse.sql("SELECT 1 FROM steward.role WHERE user_id = '@carol:hs.test'"), 15, "the role")
    assert carol.ask("!whoami")
    answer = carol.ask("!purge-media 30d", timeout=60)
    assert answer.plan_number is None
    assert all(staffed.synapse.local_media_file(file).exists() for file in staffed.old)


def test_reader_gets_no_personal_data(staffed):
    carol = staffed.clients["carol"]
    answer = carol.ask("!media-usage --by user", timeout=60)
    assert "@bob" not in answer and "bob" not in answer


def test_operator_acts_up_to_level_two(staffed):
    staffed.alice.confirm(staffed.alice.plan("!allow @dave:hs.test operator"))
    dave = staffed.clients["dave"]
    dave.wait_for(lambda: staffed.synapse.sql("SELECT 1 FROM steward.role WHERE user_id = '@dave:hs.test'"), 15, "the role")
    assert dave.ask("!purge-media 30d", timeout=60).plan_number is None
    staffed.fill.remote_media(count=30, age_days=1)
    staffed.fill.remote_media(count=1, age_days=90, size=100)
    card = dave.plan("!purge-media 30d --remote")
    dave.confirm(card)
    staffed.wait_job(card.plan_number, "done")


def test_operator_cannot_confirm_above_his_level(staffed):
    card = staffed.alice.plan("!purge-media 30d")
    staffed.clients["dave"].react(card, "✅")
    import time

    time.sleep(2)
    assert staffed.job(card.plan_number)["state"] == "waiting"
    staffed.alice.send(f"no {card.plan_number}")


def test_admin_cannot_be_made_or_removed_in_the_room(staffed):
    answer = staffed.alice.ask("!allow @carol:hs.test admin")
    assert answer.plan_number is None
    answer = staffed.alice.ask("!deny @alice:hs.test")
    assert answer.plan_number is None
    assert "admin" in staffed.alice.ask("!whoami")


def test_deny(staffed):
    """Taking a role needs a second admin or the terminal: one admin alone cannot do it in the room."""
    card = staffed.alice.plan("!deny @carol:hs.test")
    staffed.alice.confirm(card)
    assert staffed.alice.wait_message("another admin", after=card)
    assert staffed.synapse.sql("SELECT 1 FROM steward.role WHERE user_id = '@carol:hs.test'")
    staffed.alice.send(f"no {card.plan_number}")
    done = staffed.steward.exec("deny @carol:hs.test", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    carol = staffed.clients["carol"]
    carol.wait_for(lambda: not staffed.synapse.sql("SELECT 1 FROM steward.role WHERE user_id = '@carol:hs.test'"), 15, "the role to go")
    event = carol.send("!media-usage")
    assert not [message for message in carol.stays_silent(event, 2) if "MB" in message.body or "kB" in message.body]


def test_a_locked_deactivated_or_suspended_admin_is_refused(new_world):
    """Their clients are stopped by Synapse itself; an event that got through before is refused by the bot, with the reason."""
    world = new_world(admins=("alice", "bob", "carol", "dave")).start(join=("alice", "bob", "carol", "dave"))
    world.fill.media(world.user("eve"), 1)
    states = {"bob": ("locked", "true"), "carol": ("deactivated", "1")} | ({} if ON_OLDEST else {"dave": ("suspended", "true")})
    for name, (column, value) in states.items():
        world.synapse.sql(f"UPDATE users SET {column} = {value} WHERE name = '@{name}:hs.test'")
    world.synapse.restart()  # it keeps accounts in a cache
    last = world.alice.conversation[-1]
    for name, (column, _) in states.items():
        event = {
            "event_id": f"$of-{name}", "room_id": world.room, "sender": f"@{name}:hs.test", "type": "m.room.message",
            "content": {"msgtype": "m.text", "body": "!purge-media 30d"}, "unsigned": {"age": 1},
        }  # fmt: skip
        assert world.steward.push([event])[0] == 200
        assert world.alice.wait_message("may not command", f"your account is {column}", after=last, timeout=60).plan_number is None
        assert len(refusals(world, f"$of-{name}")) == 1
    assert not world.jobs()


def test_a_person_who_left_the_room_is_refused(new_world):
    """Joined for each command: who left cannot confirm a plan any more."""
    world = new_world().start(join=("alice", "bob"))
    world.fill.media(world.user("carol"), 30, age_days=1)
    old = world.fill.media(world.user("carol"), 1)
    card = world.bob.plan("!purge-media 30d")
    world.synapse.leave(world.user("bob"), world.room, forget=False)
    import time

    time.sleep(2)
    late = {
        "event_id": "$late", "room_id": world.room, "sender": "@bob:hs.test", "type": "m.room.message",
        "content": {"msgtype": "m.text", "body": f"yes {card.plan_number}"}, "unsigned": {"age": 1},
    }  # fmt: skip
    assert world.steward.push([late])[0] == 200
    assert world.alice.wait_message("may not command", "not joined to the admin room", timeout=20)
    assert world.job(card.plan_number)["state"] in ("waiting", "void")
    assert world.synapse.local_media_file(old[0]).exists()
