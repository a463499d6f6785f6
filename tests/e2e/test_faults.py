"""The world breaks: PostgreSQL, Synapse, the network, the room. Each gets a clear answer or a clean resume."""

import time

import pytest

from support.pgbouncer import PgBouncer
from support.process import wait_until
from support.proxy import Proxy, TcpProxy
from support.synapse import ON_OLDEST


def dead_rooms(world, count):
    dead = world.fill.dead_room(world.user("carol"), world.user("dave"), name="Gone", messages=2)
    return [dead, *world.fill.copy_rooms(dead, count - 1)]


def behind(world, port):
    """The bot's connection string by way of another port."""
    return world.steward.database_url.replace(f":{world.postgres.port}/", f":{port}/")


@pytest.fixture
def cut_off(new_world):
    """A world whose bot reaches PostgreSQL and Synapse only through things that can break."""
    world = new_world()
    world.wire = TcpProxy(world.postgres.port).start()
    world.proxy = Proxy(world.synapse.url).start()
    world.install("--database", behind(world, world.wire.port))
    world.steward.change_config(homeserver={"url": world.proxy.url})
    yield world
    world.wire.stop()
    world.proxy.stop()


def test_postgres_down_at_start(cut_off):
    """It says so without a password and starts when the database is back, or ends with a clear error for its supervisor."""
    world = cut_off
    world.wire.cut()
    world.steward.start(wait=False)
    time.sleep(4)
    log = world.steward.log()
    assert "not-a-secret" not in log and ("database" in log.lower() or "postgres" in log.lower())
    world.wire.open()
    if not world.steward.running:
        assert world.steward.process.exit_code != 0
        world.steward.start()
    world.steward.wait_ready(60)
    world.enter("alice")
    assert world.alice.ask("!whoami", timeout=60)


def test_postgres_cut_in_the_middle_of_a_job(cut_off):
    world = cut_off.start()
    rooms = dead_rooms(world, 40)
    card = world.alice.plan("!clean-rooms")
    world.alice.confirm(card)
    wait_until(lambda: list(world.items(card.plan_number).values()).count("done") > 3, 60, "some rooms")
    world.wire.cut()
    time.sleep(5)
    world.wire.open()

    def up_again():
        if not world.steward.running:  # losing the leader's connection stops all work; a supervisor starts it again
            world.steward.start()
        job = world.job(card.plan_number)
        return job["state"] == "done" and job

    wait_until(up_again, 180, "the job to go on", 0.5)
    assert not any(world.synapse.room_exists(room) for room in rooms)
    assert all(world.deletions(room) == 1 for room in rooms)


def test_out_of_connections(new_world):
    world = new_world().install()
    # No more than Synapse has by now, so that it goes on and the bot finds none left.
    used = world.synapse.sql_value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") - 1
    world.postgres.query("postgres", f'ALTER DATABASE "{world.name}" CONNECTION LIMIT {used}')
    world.steward.start(wait=False)
    time.sleep(4)
    assert "not-a-secret" not in world.steward.log()
    assert "connection" in world.steward.log().lower()
    world.postgres.query("postgres", f'ALTER DATABASE "{world.name}" CONNECTION LIMIT -1')
    if not world.steward.running:
        world.steward.start(wait=False)
    world.steward.wait_ready(60)
    world.enter("alice")
    assert world.alice.ask("!whoami", timeout=60)


def test_synapse_down_at_start(new_world):
    world = new_world().install()
    world.synapse.stop()
    world.steward.start(wait=False)
    time.sleep(3)
    assert world.steward.running, world.steward.log()
    world.synapse.start()
    world.steward.wait_ready(60)
    world.enter("alice")
    assert world.alice.ask("!whoami", timeout=60)


def test_synapse_restarts_in_the_middle_of_a_job(new_world):
    world = new_world().start()
    rooms = dead_rooms(world, 40)
    card = world.alice.plan("!clean-rooms")
    world.alice.confirm(card)
    wait_until(lambda: list(world.items(card.plan_number).values()).count("done") > 3, 60, "some rooms")
    world.synapse.restart()
    world.wait_job(card.plan_number, "done", timeout=240)
    assert not any(world.synapse.room_exists(room) for room in rooms)
    assert all(world.deletions(room) == 1 for room in rooms)
    world.alice.wait_receipt(card.plan_number)
    time.sleep(5)
    assert len(world.alice.receipts(card.plan_number)) == 1
    said = [message for message in world.alice.bot_messages(card) if f"Job {card.plan_number} " in message.body]
    assert len(said) == 2, "the live message and the receipt, each once"


def test_synapse_hangs_for_a_while(new_world):
    world = new_world().start()
    rooms = dead_rooms(world, 10)
    card = world.alice.plan("!clean-rooms")
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "running", "done")
    world.synapse.freeze()
    time.sleep(15)
    world.synapse.thaw()
    world.wait_job(card.plan_number, "done", timeout=240)
    assert all(world.deletions(room) == 1 for room in rooms)


def test_a_lost_reply_to_a_deletion_is_not_repeated(cut_off):
    world = cut_off.start()
    rooms = dead_rooms(world, 3)
    card = world.alice.plan("!clean-rooms")
    rule = world.proxy.rule("DELETE .*/v2/rooms/", lose_reply=True, times=2)
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "done", timeout=120)
    assert rule.hits == 2
    assert all(world.deletions(room) == 1 for room in rooms)
    assert not any(world.synapse.room_exists(room) for room in rooms)


@pytest.mark.parametrize("status", [429, 500, 502])
def test_synapse_refuses_for_a_moment(cut_off, status):
    """429 with a time, 500, a proxy's 502: waited out; nothing twice in the room."""
    world = cut_off.start()
    rooms = dead_rooms(world, 3)
    body = {"errcode": "M_LIMIT_EXCEEDED", "error": "slow down", "retry_after_ms": 700} if status == 429 else {"errcode": "M_UNKNOWN", "error": "no"}
    world.proxy.rule("PUT .*/send/", status=status, json=body, times=3)
    event = world.alice.send("!whoami")
    world.alice.wait_message("admin", after=event, timeout=90)
    assert len(world.alice.stays_silent(event, 3)) == 1
    card = world.alice.plan("!clean-rooms", timeout=90)
    refused = world.proxy.rule("DELETE .*/v2/rooms/", status=status, json=body, times=1)
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "done", timeout=180)
    assert refused.hits == 1
    assert set(world.items(card.plan_number).values()) == {"done"}
    for room in rooms:
        assert world.deletions(room) == 1 and not world.synapse.room_exists(room)


def test_media_deletion_without_an_answer(cut_off):
    """A delete whose reply never comes is counted afterwards, not repeated blindly."""
    world = cut_off.start()
    world.fill.media(world.user("bob"), 30, age_days=1)
    old = world.fill.media(world.user("bob"), 4)
    card = world.alice.plan("!purge-media 30d")
    rule = world.proxy.rule("DELETE .*/v1/media/", lose_reply=True, times=2)
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "done", "failed", "stopped", timeout=120)
    assert rule.hits == 2
    assert not any(world.synapse.local_media_file(media).exists() for media in old)
    assert set(world.items(card.plan_number).values()) <= {"done", "unknown"}


def test_a_staging_copy_is_refused(new_world):
    """The bot's connection points at a copy of the database: everything above level 0 is refused, both addresses are named."""
    world = new_world().install()
    copy = f"{world.name}_staging"
    world.synapse.stop()
    world.postgres.drop(copy)
    world.postgres.create(copy, owner="synapse", template=world.name)
    world.synapse.start()
    try:
        world.steward.use_database(copy)
        dead = world.fill.dead_room(world.user("carol"), name="Empty")
        world.start()
        answer = world.alice.ask("!clean-rooms", timeout=90)
        assert answer.plan_number is None and copy in answer.body, answer.body
        assert world.synapse.room_exists(dead)
        assert world.alice.ask("!whoami", timeout=60)
    finally:
        world.steward.stop()
        world.postgres.drop(copy)


def test_another_homeservers_database_is_refused(new_world):
    """As above, with a database of another server name altogether."""
    other, world = new_world(), new_world().install()
    other.synapse.sql("UPDATE users SET name = replace(name, ':hs.test', ':other.test')")
    world.steward.use_database(other.name)
    world.steward.start(wait=False)
    time.sleep(5)
    if world.steward.running:
        world.enter("alice")
        answer = world.alice.ask("!clean-rooms", timeout=90)
        assert answer.plan_number is None and other.name in answer.body
    else:
        assert other.name in world.steward.log()


def test_pgbouncer_in_transaction_mode_is_refused(new_world):
    """Settings and locks leak between clients there: reading works, writing is refused with the reason."""
    world = new_world()
    bouncer = PgBouncer(world.folder / "pgbouncer", world.postgres).start()
    try:
        first = world.steward.setup("--no-wait", "--database", behind(world, bouncer.port), check=False)
        world.synapse.add_registration(world.steward.registration_path)
        world.synapse.start()
        second = world.steward.setup("--database", behind(world, bouncer.port), check=False)
        said = first.stdout + first.stderr + second.stdout + second.stderr
        world.steward.start(wait=False)
        time.sleep(5)
        said += world.steward.log()
        if world.steward.running:
            world.enter("alice")
            world.fill.dead_room(world.user("carol"), name="Empty")
            answer = world.alice.ask("!clean-rooms", timeout=90)
            assert answer.plan_number is None
            said += answer.body
        assert any(word in said.lower() for word in ("pgbouncer", "pooler", "proxy", "pool")), said
        assert "not-a-secret" not in said
    finally:
        bouncer.stop()


def test_the_admin_room_is_deleted(new_world):
    """An admin deleted the bot's room: it lives on, says so, and makes or takes another."""
    world = new_world().start()
    old = world.room
    assert world.synapse.delete_room(old) == "complete"
    alice = world.alice
    alice.invitations.pop(old, None)
    alice.room = None

    def invited():
        return next((room for room in alice.invitations if room != old), None)

    room = alice.wait_for(invited, 60, "an invitation to a new room")
    alice.enter(room)
    assert alice.ask("!whoami", timeout=60)


def is_in(world, room):
    return world.synapse.sql("SELECT 1 FROM local_current_membership WHERE room_id = %s AND user_id = %s AND membership = 'join'",
                             (room, world.steward.user_id))  # fmt: skip


def upgrade_room(world, version):
    """Alice upgrades the admin room, with the right to do so and more of it than the bot, and lets it in; the new room, which is hers."""
    synapse, old, token = world.synapse, world.room, world.steward.registration["as_token"]
    levels = synapse.client("GET", f"/rooms/{old}/state/m.room.power_levels", token=token, user_id=world.steward.user_id)
    levels.setdefault("users", {})["@alice:hs.test"] = levels.get("events", {}).get("m.room.tombstone", 100)
    if world.steward.user_id in levels["users"]:  # in rooms before version 12, where it made the room
        levels["users"][world.steward.user_id] = 50
    synapse.request("PUT", f"/_matrix/client/v3/rooms/{old}/state/m.room.power_levels", levels, token, user_id=world.steward.user_id)
    new = synapse.client("POST", f"/rooms/{old}/upgrade", {"new_version": version}, world.user("alice"))["replacement_room"]
    synapse.invite(world.user("alice"), new, world.steward.user_id)
    wait_until(lambda: is_in(world, new), 60, "the bot to follow")
    world.alice.room = None
    world.alice.enter(new)
    world.room = new
    return new


@pytest.mark.parametrize("how", ["leave", "kick"])
def test_the_bot_is_out_of_its_room(new_world, how):
    """The job goes on, nothing loops, what it said meanwhile is kept; an admin's invitation brings it back."""
    world = new_world().start()
    if how == "kick":
        upgrade_room(world, "11")  # in its own room nobody has the power
        assert world.alice.ask("!ping", timeout=60)
    rooms = dead_rooms(world, 20)
    card = world.alice.plan("!clean-rooms")
    world.alice.confirm(card)
    wait_until(lambda: "done" in world.items(card.plan_number).values(), 60, "the first room")
    if how == "kick":
        world.synapse.client("POST", f"/rooms/{world.room}/kick", {"user_id": world.steward.user_id}, world.user("alice"))
    else:
        token = world.steward.registration["as_token"]
        world.synapse.client("POST", f"/rooms/{world.room}/leave", {}, token, user_id=world.steward.user_id)
    world.wait_job(card.plan_number, "done", timeout=120)
    assert not any(world.synapse.room_exists(room) for room in rooms)
    lines = len(world.steward.log().splitlines())
    time.sleep(5)
    assert len(world.steward.log().splitlines()) - lines < 50, "the log grows in a loop"
    fresh = world.synapse.create_room(world.user("alice"), name="New admin room", invite=[world.steward.user_id])
    alice = world.alice
    alice.room = None
    wait_until(lambda: is_in(world, fresh), 60, "the bot to accept the invitation")
    alice.enter(fresh)
    assert alice.ask("!whoami", timeout=60)


def test_invitations_of_strangers_are_rejected(new_world):
    world = new_world().start()
    room = world.synapse.create_room(world.user("carol"), invite=[world.steward.user_id])
    public = world.synapse.create_room(world.user("alice"), preset="public_chat", invite=[world.steward.user_id])
    space = world.synapse.create_room(world.user("dave"), creation_content={"type": "m.space"}, invite=[world.steward.user_id])
    wait_until(
        lambda: all(
            world.synapse.sql_value("SELECT membership FROM local_current_membership WHERE room_id = %s AND user_id = %s",
                                    (place, world.steward.user_id)) == "leave" for place in (room, public, space)
        ), 30, "the rejections",
    )  # fmt: skip
    assert world.alice.ask("!whoami")
    said = [line for line in world.steward.log().splitlines() if "rejected" in line and "invitation" in line]
    assert said and any(place in said[0] for place in (room, public, space)), "logged, with the room"


@pytest.mark.parametrize("version", ["11", pytest.param("12", marks=pytest.mark.skipif(ON_OLDEST, reason="this Synapse knows no rooms of version 12"))])
def test_the_admin_room_is_upgraded(new_world, version):
    """An admin's upgrade is followed: to the announced successor and no other room. Version 12 names no event of the old one."""
    world = new_world().start()
    upgrade_room(world, version)
    assert world.alice.ask("!whoami", timeout=60)


def test_a_second_admin_without_sender_rights(new_world):
    """The sender lost its admin right: the answer says how to give it back."""
    world = new_world().start()
    sender = f"@{world.steward.registration['sender_localpart']}:hs.test"
    world.synapse.admin("PUT", f"/v1/users/{sender}/admin", {"admin": False})
    world.fill.media(world.user("bob"), 30, age_days=1)
    world.fill.media(world.user("bob"), 1)
    done = world.steward.check()
    assert done.returncode != 0 and "admin" in done.stdout + done.stderr
    world.synapse.admin("PUT", f"/v1/users/{sender}/admin", {"admin": True})


@pytest.mark.skipif(ON_OLDEST, reason="this Synapse gives application services no devices (MSC4190)")
def test_a_deleted_device_is_made_again(new_world):
    """400 M_UNKNOWN_DEVICE: somebody deleted the bot's device."""
    world = new_world().start()
    rows = world.synapse.sql("SELECT device_id FROM devices WHERE user_id = %s AND NOT hidden", (world.steward.user_id,))
    assert rows
    for (device,) in rows:
        world.synapse.admin("DELETE", f"/v2/users/{world.steward.user_id}/devices/{device}")
    event = world.alice.send("!whoami")
    assert world.alice.wait_message("admin", where=lambda message: message.reply_to == event, timeout=60)
    world.alice.wait_message("deleted my device", after=event)
    time.sleep(2)
    assert len([message for message in world.alice.bot_messages(event) if "deleted my device" in message]) == 1, "told once"
