"""kill -9 at every bad moment, two bots, a restored backup: nothing twice, nothing lost, nothing by itself that should be asked."""

import threading
import time

import pytest

from support.process import wait_until
from support.proxy import Proxy
from support.steward import Steward


def dead_rooms(world, count):
    dead = world.fill.dead_room(world.user("carol"), world.user("dave"), name="Gone", messages=2)
    return [dead, *world.fill.copy_rooms(dead, count - 1)]


def advisory_locks(world):
    return world.synapse.sql_value(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )


@pytest.fixture
def through_proxies(new_world):
    """A world whose bot hears from Synapse, and speaks to it, through proxies."""
    world = new_world()
    world.inward = Proxy(f"http://127.0.0.1:{world.steward.port}").start()
    world.outward = Proxy(world.synapse.url).start()
    world.install("--bot-url", world.inward.url)
    world.steward.change_config(homeserver={"url": world.outward.url})
    yield world.start()
    world.inward.stop()
    world.outward.stop()


@pytest.mark.slow
def test_kill_in_the_middle_of_two_hundred_rooms(new_world):
    """Must show 7: the same message goes on, the total is right, no room twice, the lock is free within five seconds."""
    world = new_world()
    world.install()
    world.fill.copy_rooms(world.template.live_rooms[0], 240)
    rooms = dead_rooms(world, 200)
    world.start()
    card = world.alice.plan("!clean-rooms")
    number = card.plan_number
    assert len(world.items(number)) == 200
    world.alice.confirm(card)
    wait_until(lambda: list(world.items(number).values()).count("done") > 30, 120, "thirty rooms", 0.1)
    live = world.alice.live_message(number)
    world.steward.kill()
    wait_until(lambda: advisory_locks(world) == 0, 5, "the locks to be free", 0.1)
    time.sleep(2)
    world.steward.start()
    world.wait_job(number, "done", timeout=300)
    time.sleep(3)
    assert not any(world.synapse.room_exists(room) for room in rooms)
    states = world.items(number)
    assert list(states.values()).count("done") == 200, {state: list(states.values()).count(state) for state in set(states.values())}
    deletions = world.deletions()
    assert all(deletions.get(room) == 1 for room in rooms), {room: deletions.get(room) for room in rooms if deletions.get(room) != 1}
    assert len(live.versions) > 1 and "200" in live.body
    assert len([message for message in world.alice.bot_messages(card) if len(message.versions) > 1]) == 1
    receipt = world.alice.wait_receipt(number)
    assert receipt.rings and "200" in receipt.body


def test_kill_before_the_acknowledgement(through_proxies):
    """Synapse sends the transaction again; the command is answered once."""
    world = through_proxies
    killed = world.inward.rule("PUT .*/transactions/", before=world.steward.kill, refuse=True, times=1)
    event = world.alice.send("!whoami")
    wait_until(lambda: killed.hits, 10, "the transaction")
    world.steward.start()
    assert world.alice.wait_message("admin", after=event, timeout=60)
    assert len(world.alice.stays_silent(event, 3)) == 1


def test_kill_after_the_store_before_the_reply(through_proxies):
    """The bot has the command, Synapse does not know it: the same transaction comes again."""
    world = through_proxies
    rooms = dead_rooms(world, 2)
    rule = world.inward.rule("PUT .*/transactions/", after=world.steward.kill, lose_reply=True, times=1)
    event = world.alice.send("!clean-rooms")
    wait_until(lambda: rule.hits, 10, "the transaction")
    time.sleep(1)
    world.steward.start()
    card = world.alice.wait_message(after=event, timeout=90, where=lambda message: message.plan_number)
    time.sleep(3)
    assert len([m for m in world.alice.bot_messages(event) if m.plan_number]) == 1
    assert len([job for job in world.jobs() if job["command"] == "clean-rooms"]) == 1
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "done")
    assert not any(world.synapse.room_exists(room) for room in rooms)


def test_kill_directly_after_the_acknowledgement(through_proxies):
    world = through_proxies
    event_seen = world.inward.rule("PUT .*/transactions/", times=1)
    event = world.alice.send("!whoami")
    wait_until(lambda: event_seen.hits, 10, "the transaction")
    world.steward.kill()
    world.steward.start()
    assert world.alice.wait_message("admin", after=event, timeout=60)
    assert len(world.alice.stays_silent(event, 3)) == 1


def test_kill_between_the_last_room_and_the_receipt(through_proxies):
    world = through_proxies
    rooms = dead_rooms(world, 20)
    card = world.alice.plan("!clean-rooms")
    world.alice.confirm(card)
    # The start itself waits for a message: the proof that this is the right database. From the first room on none is needed.
    wait_until(lambda: "done" in world.items(card.plan_number).values(), 60, "the first room")
    world.outward.rule("PUT .*/send/", gate=threading.Event())
    wait_until(lambda: not any(world.synapse.room_exists(room) for room in rooms), 60, "all rooms")
    wait_until(lambda: set(world.items(card.plan_number).values()) == {"done"}, 30, "all items")
    world.steward.kill()
    world.outward.clear()
    world.steward.start()
    world.wait_job(card.plan_number, "done", timeout=60)
    world.alice.wait_receipt(card.plan_number)
    time.sleep(4)
    assert len(world.alice.receipts(card.plan_number)) == 1
    assert all(world.deletions(room) == 1 for room in rooms)


def test_a_lost_reply_to_a_message_is_not_posted_twice(through_proxies):
    world = through_proxies
    world.outward.rule("PUT .*/send/m.room.message", lose_reply=True, times=1)
    event = world.alice.send("!whoami")
    world.alice.wait_message("admin", after=event, timeout=60)
    assert len(world.alice.stays_silent(event, 5)) == 1


def test_kill_with_a_lost_reply_to_a_message(through_proxies):
    """The message is in the room, the bot died before it knew: after the start it is found, not posted again."""
    world = through_proxies
    rule = world.outward.rule("PUT .*/send/m.room.message", after=world.steward.kill, lose_reply=True, times=1)
    event = world.alice.send("!whoami")
    wait_until(lambda: rule.hits and not world.steward.running, 20, "the message")
    world.steward.start()
    world.alice.wait_message("admin", after=event, timeout=60)
    assert len(world.alice.stays_silent(event, 5)) == 1


def test_two_bots_on_one_database(new_world):
    world = new_world().start()
    second = Steward(world.folder / "second", world.synapse, world.steward.admins)
    second.folder.mkdir()
    text = world.steward.config_path.read_text().replace(str(world.steward.port), str(second.port))
    second.config_path.write_text(text.replace(str(world.steward.folder / "state"), str(second.folder / "state")))
    second.config_path.chmod(0o600)
    done = second.command("run", "--config", second.config_path, timeout=30)
    assert done.returncode != 0
    assert "already" in done.stderr.lower() or "another" in done.stderr.lower(), done.stderr
    assert world.alice.ask("!ping")


def test_a_restored_backup_runs_nothing_by_itself(new_world):
    """Must show 7: the bot's schema from before the confirmation comes back; the room is asked, nothing runs."""
    world = new_world().start()
    rooms = dead_rooms(world, 4)
    card = world.alice.plan("!clean-rooms")
    backup = world.folder / "steward.sql"
    world.postgres.dump(world.name, "steward", backup)
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "done")
    time.sleep(2)
    world.steward.stop()
    more = world.fill.copy_rooms(world.fill.dead_room(world.user("dave"), name="Later"), 2)
    before = world.synapse.sql_value("SELECT count(*) FROM rooms")
    last = world.alice.conversation[-1]
    world.postgres.restore(world.name, backup)
    world.synapse.sql("ALTER SCHEMA steward OWNER TO synapse")
    world.steward.start()
    asked = world.alice.wait_message(after=last, timeout=60)
    assert asked
    time.sleep(5)
    assert world.synapse.sql_value("SELECT count(*) FROM rooms") == before
    assert all(world.deletions(room) == 1 for room in rooms) and not any(world.deletions(room) for room in more)
    assert not [job for job in world.jobs() if job["state"] in ("queued", "running")]
    assert any("backup" in message or "restored" in message or "older" in message for message in world.alice.bot_messages(last))


def test_what_waited_through_a_long_absence_is_asked_for(new_world):
    """Commands of twenty minutes ago, sent while the bot was away: named in one message, not even planned."""
    world = new_world().start()
    dead_rooms(world, 2)
    world.fill.media(world.user("bob"), 1)
    world.steward.stop()
    lines = ["!clean-rooms", "!purge-media 30d", "!purge-user-media @bob:hs.test"]
    events = [world.alice.send(line) for line in lines]
    world.synapse.stop()  # it tells the age by the moment of arrival that it keeps with the event
    world.synapse.sql(
        "UPDATE event_json SET json = jsonb_set(json::jsonb, '{unsigned,age_ts}', to_jsonb((json::jsonb #>> '{unsigned,age_ts}')::bigint - 1200000))::text"
        " WHERE event_id = ANY(%s)", (events,)
    )  # fmt: skip
    world.synapse.start()
    world.steward.start()
    asked = world.alice.wait_message("Send again what you still want", *(f"20 min ago: {line}" for line in lines), after=events[-1], timeout=60)
    assert world.alice.stays_silent(events[-1], 5) == [asked]
    assert not world.jobs()
    assert world.alice.plan("!clean-rooms")  # sent again it is planned


def test_what_synapse_brings_late_is_asked_for(through_proxies):
    """A transaction that was under way for twenty minutes: what changes something is not planned, what reads is answered."""
    world = through_proxies
    dead_rooms(world, 2)
    world.alice.ask("!ping")  # from here on nothing of the start is under way, which would bring the commands in time
    held = world.inward.rule("PUT .*/transactions/", gate=threading.Event())
    for line, answer in (("!clean-rooms", "I was away"), ("!whoami", "admin")):
        event = world.alice.send(line)
        late = {
            "event_id": event, "room_id": world.room, "sender": "@alice:hs.test", "type": "m.room.message",
            "content": {"msgtype": "m.text", "body": line}, "unsigned": {"age": 1_200_000},
        }  # fmt: skip
        assert world.steward.push([late])[0] == 200
        assert world.alice.wait_message(answer, after=event, timeout=60)
    held.gate.set()
    time.sleep(3)
    assert not world.jobs()


def test_transaction_ids_may_start_again(through_proxies):
    """Id 1 with new events after Synapse lost its count: taken, because only the ids of events decide."""
    world = through_proxies
    held = world.inward.rule("PUT .*/transactions/", gate=threading.Event())
    event = world.alice.send("!whoami")
    wait_until(lambda: held.hits, 10, "Synapse's own delivery")
    said = {"event_id": event, "room_id": world.room, "sender": "@alice:hs.test", "type": "m.room.message",
            "content": {"msgtype": "m.text", "body": "!whoami"}, "unsigned": {"age": 1}}  # fmt: skip
    for events in ([], [said]):
        assert world.steward.push(events, transaction="1")[0] == 200
    world.alice.wait_message("admin", after=event)
    held.gate.set()
    assert len(world.alice.stays_silent(event, 3)) == 1


def test_a_graceful_stop_in_the_middle_goes_on_after_the_start(new_world):
    world = new_world().start()
    rooms = dead_rooms(world, 40)
    card = world.alice.plan("!clean-rooms")
    world.alice.confirm(card)
    wait_until(lambda: "done" in world.items(card.plan_number).values(), 60, "the first room")
    assert world.steward.stop() == 0
    assert any(world.synapse.room_exists(room) for room in rooms)
    world.steward.start()
    world.wait_job(card.plan_number, "done", timeout=120)
    assert not any(world.synapse.room_exists(room) for room in rooms)
    assert all(world.deletions(room) == 1 for room in rooms)
