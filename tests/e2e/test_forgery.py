"""Events that the admin never sent: pushed with the stolen token, sent by another application service or with an impersonation token."""

import secrets
import time

import pytest
import yaml


@pytest.fixture(scope="module")
def attacked(new_world):
    """A world where a second application service may speak as anybody, and an attacker holds the bot's hs_token."""
    world = new_world()
    bridge = world.folder / "bridge.yaml"
    world.folder.mkdir(exist_ok=True)
    world.bridge_token = secrets.token_hex(16)
    bridge.write_text(yaml.safe_dump({
        "id": "bridge", "url": None, "as_token": world.bridge_token, "hs_token": secrets.token_hex(16),
        "sender_localpart": "bridge", "rate_limited": False,
        "namespaces": {"users": [{"exclusive": False, "regex": "@.*"}]},
    }))  # fmt: skip
    world.synapse.registrations.append(bridge)
    world.start(join=("alice", "bob"))
    world.fill.media(world.user("carol"), 30, age_days=1)
    world.dead = world.fill.dead_room(world.user("carol"), name="Empty")
    return world


def event(world, kind, content, sender="@alice:hs.test"):
    return {
        "event_id": "$" + secrets.token_urlsafe(32), "room_id": world.room, "sender": sender, "type": kind, "content": content,
        "origin_server_ts": int(time.time() * 1000), "unsigned": {"age": 20},
    }  # fmt: skip


def command(world, text, **how):
    return event(world, "m.room.message", {"msgtype": "m.text", "body": text}, **how)


def test_a_forged_command_does_nothing_and_is_reported_once(attacked):
    """Must show 8."""
    world = attacked
    jobs, last = len(world.jobs()), world.alice.conversation[-1]
    for _ in range(3):
        assert world.steward.push([command(world, "!clean-rooms")])[0] == 200
    report = world.alice.wait_message(after=last, timeout=30)
    time.sleep(4)
    said = world.alice.bot_messages(last)
    assert len(said) == 1 and report.plan_number is None, [message.body for message in said]
    assert len(world.jobs()) == jobs and world.synapse.room_exists(world.dead)


def test_a_forged_tap_does_nothing(attacked):
    world = attacked
    world.fill.media(world.user("carol"), 2, 100)
    world.steward.restart()  # what was forged before it was reported for this hour
    card = world.alice.plan("!purge-media 30d")
    forged = event(world, "m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": card.event_id, "key": "✅"}})
    world.steward.push([forged])
    report = world.alice.wait_message("forged", after=card)
    world.steward.push([command(world, f"yes {card.plan_number}")])
    time.sleep(4)
    assert world.job(card.plan_number)["state"] == "waiting"
    assert report.rings and world.alice.bot_messages(card) == [report]
    world.alice.send(f"no {card.plan_number}")
    world.wait_job(card.plan_number, "void")


def test_another_application_service_as_the_admin(attacked):
    """The event is real and in the room, but no device of alice sent it."""
    world = attacked
    jobs = len(world.jobs())
    event_id = world.synapse.client(
        "PUT", f"/rooms/{world.room}/send/m.room.message/{secrets.token_hex(4)}", {"msgtype": "m.text", "body": "!clean-rooms"},
        world.bridge_token, user_id="@alice:hs.test",
    )["event_id"]  # fmt: skip
    world.alice.wait_for(lambda: event_id in world.alice.messages, 20, "the bridge's message")
    time.sleep(4)
    assert len(world.jobs()) == jobs
    assert not [message for message in world.alice.bot_messages(event_id) if message.plan_number]


def test_another_application_service_taps(attacked):
    world = attacked
    world.fill.media(world.user("carol"), 2, 100)
    card = world.alice.plan("!purge-media 30d")
    world.synapse.client(
        "PUT", f"/rooms/{world.room}/send/m.reaction/{secrets.token_hex(4)}",
        {"m.relates_to": {"rel_type": "m.annotation", "event_id": card.event_id, "key": "✅"}},
        world.bridge_token, user_id="@bob:hs.test",
    )  # fmt: skip
    time.sleep(4)
    assert world.job(card.plan_number)["state"] == "waiting"
    world.alice.send(f"no {card.plan_number}")
    world.wait_job(card.plan_number, "void")


def test_an_impersonation_token(attacked):
    """A server admin who logs in as alice: an access token without a device."""
    world = attacked
    token = world.synapse.admin("POST", "/v1/users/@alice:hs.test/login", {})["access_token"]
    jobs = len(world.jobs())
    event_id = world.synapse.send(token, world.room, "!clean-rooms")
    world.alice.wait_for(lambda: event_id in world.alice.messages, 20, "the message")
    time.sleep(4)
    assert len(world.jobs()) == jobs


def test_the_doctor_names_the_wide_namespace(attacked):
    done = attacked.steward.check()
    assert "bridge" in done.stdout + done.stderr


def test_an_event_from_another_room_is_no_command(attacked):
    world = attacked
    jobs = len(world.jobs())
    other = world.synapse.create_room(world.user("alice"))
    event_id = world.synapse.send(world.user("alice"), other, "!clean-rooms")
    world.steward.push([{**command(world, "!clean-rooms"), "room_id": other, "event_id": event_id}])
    time.sleep(2)
    assert len(world.jobs()) == jobs


def test_soft_failed_and_spam_flagged_events_are_dropped(attacked):
    world = attacked
    jobs, last = len(world.jobs()), world.alice.conversation[-1]
    for flag in ("io.element.synapse.soft_failed", "io.element.synapse.policy_server_spammy"):
        real = world.synapse.send(world.user("alice"), world.room, "not a command")
        forged = command(world, "!clean-rooms")
        forged["unsigned"][flag] = True
        world.steward.push([{**forged, "event_id": "$" + secrets.token_urlsafe(32)}])
        assert real
    time.sleep(2)
    assert len(world.jobs()) == jobs
    assert not [message for message in world.alice.bot_messages(last) if message.plan_number]


def test_the_bots_own_words_are_ignored(attacked):
    world = attacked
    jobs = len(world.jobs())
    world.steward.push([command(world, "!clean-rooms", sender=world.steward.user_id)])
    time.sleep(2)
    assert len(world.jobs()) == jobs
