"""Running work: freeze, cancel, pause, resume, retry, the live message, the list of jobs."""

import time

import pytest

from support.process import patience, wait_until


@pytest.fixture
def cleaning(new_world):
    """A world in the middle of cleaning 60 rooms."""
    world = new_world().start(join=("alice", "bob"))
    dead = world.fill.dead_room(world.user("carol"), world.user("dave"), name="Gone", messages=3)
    world.dead = [dead, *world.fill.copy_rooms(dead, 49)]
    world.card = world.alice.plan("!clean-rooms")
    world.alice.confirm(world.card)
    world.number = world.card.plan_number
    world.wait_job(world.number, "running")
    wait_until(lambda: "done" in world.items(world.number).values(), 60, "the first room to be gone")
    return world


def gone(world):
    return sum(not world.synapse.room_exists(room) for room in world.dead)


def settled(world, seconds=6):
    """Rooms gone once Synapse has finished what it was told before the stop."""
    time.sleep(seconds)
    return gone(world)


def test_freeze_stops_within_a_second(cleaning):
    """Must show 9."""
    cleaning.alice.send("!freeze")  # returns when Synapse has given it to its clients
    started = time.monotonic()
    wait_until(lambda: cleaning.job(cleaning.number)["state"] != "running", 3, "the job to stop", 0.02)
    assert time.monotonic() - started < 1 * patience()
    tasks = sum(cleaning.deletions().values())
    count = settled(cleaning)
    assert count < len(cleaning.dead)
    assert sum(cleaning.deletions().values()) == tasks
    answer = cleaning.alice.ask("!clean-rooms", timeout=60)
    assert answer.plan_number is None or "freeze" in answer or "frozen" in answer
    # One admin alone cannot thaw; two can.
    card = cleaning.alice.ask("!thaw", timeout=30)
    assert cleaning.job(cleaning.number)["state"] == "stopped"
    assert card


def test_thaw_from_the_terminal(cleaning):
    cleaning.alice.send("!freeze")
    wait_until(lambda: cleaning.job(cleaning.number)["state"] == "stopped", 5, "the job to stop")
    done = cleaning.steward.exec("thaw", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    cleaning.alice.send(f"!resume {cleaning.number}")
    finish(cleaning)


def finish(world, number=None):
    """Confirms whatever continuation is asked for and waits until every room of the plan is gone."""

    def ended():
        for job in world.jobs():
            if job["state"] == "waiting":
                card = next((m for m in reversed(world.alice.bot_messages()) if m.plan_number == job["number"]), None)
                if card and card.plan_words not in [m.body for m in world.alice.conversation]:
                    world.alice.confirm(card)
        return gone(world) == len(world.dead)

    wait_until(ended, 120, "the rest of the rooms", 0.5)
    assert all(count == 1 for room, count in world.deletions().items() if room in world.dead)


@pytest.mark.parametrize("how", ["command", "reaction"])
def test_cancel(cleaning, how):
    if how == "command":
        cleaning.alice.send(f"!cancel {cleaning.number}")
    else:
        cleaning.alice.react(cleaning.alice.live_message(cleaning.number), "🛑")
    job = cleaning.wait_job(cleaning.number, "stopped", "failed", "done", timeout=15)
    assert job["state"] == "stopped" and job["reason"] == "cancelled"
    count = settled(cleaning)
    assert 0 < count < len(cleaning.dead)
    done = [target for target, state in cleaning.items(cleaning.number).items() if state == "done"]
    assert not any(cleaning.synapse.room_exists(room) for room in done)
    assert cleaning.alice.wait_message("cancel", after=cleaning.card)


def test_pause_and_resume(cleaning):
    cleaning.bob.send(f"!pause {cleaning.number}")
    cleaning.wait_job(cleaning.number, "stopped", timeout=15)
    count = settled(cleaning, 4)
    time.sleep(2)
    assert gone(cleaning) == count < len(cleaning.dead)
    cleaning.alice.send(f"!resume {cleaning.number}")
    finish(cleaning)


def test_live_message_is_one_and_is_edited(cleaning):
    cleaning.wait_job(cleaning.number, "done", timeout=180)
    time.sleep(2)
    edited = [message for message in cleaning.alice.bot_messages(cleaning.card) if len(message.versions) > 1]
    assert len(edited) == 1
    moments = [at for at, _ in edited[0].versions]
    # Edits at 2, 5 and 10 s, then every 15 s, and at a change of state. Counted, because a busy Synapse delivers two at once.
    took = moments[-1] - moments[0]
    assert len(moments) <= 4 + sum(took > early for early in (2, 5, 10)) + took // 15
    assert len(cleaning.alice.receipts(cleaning.number)) == 1
    command = next(message for message in cleaning.alice.conversation if message.body == "!clean-rooms")
    assert cleaning.alice.wait_reaction(command, "✅")


def test_jobs_and_log(cleaning):
    answer = cleaning.alice.ask("!jobs", timeout=30)
    assert str(cleaning.number) in answer.body and "clean-rooms" in answer
    assert "clean-rooms" in cleaning.alice.ask(f"!job {cleaning.number}", timeout=30)
    cleaning.wait_job(cleaning.number, "done", timeout=180)
    event = cleaning.alice.send(f"!log {cleaning.number}")
    cleaning.alice.wait_message(after=event, where=lambda message: message.msgtype == "m.file", timeout=30)


def test_editing_and_redacting_the_command_change_nothing(cleaning):
    """Neither the edited line runs nor does the job stop; said once, and how to stop it."""
    command = next(message for message in cleaning.alice.conversation if message.body == "!clean-rooms")
    jobs = len(cleaning.jobs())
    for line in ("!clean-rooms --dry-run", "!purge-media 30d"):
        cleaning.alice.edit(command, line)
    assert cleaning.alice.wait_message("Edits are not executed", str(cleaning.number), after=cleaning.card, timeout=30)
    cleaning.alice.redact(command)
    assert cleaning.alice.wait_message("!cancel", after=cleaning.card, timeout=30)
    cleaning.wait_job(cleaning.number, "done", timeout=180)
    assert len([message for message in cleaning.alice.bot_messages(cleaning.card) if "Edits are not" in message]) == 1
    assert len(cleaning.jobs()) == jobs and gone(cleaning) == len(cleaning.dead)


def test_transactions_are_acknowledged_at_once_meanwhile(cleaning):
    """However long a job takes, Synapse never waits for it."""
    for number in range(5):
        started = time.monotonic()
        event = {
            "event_id": f"$meanwhile{number}", "room_id": cleaning.room, "sender": "@alice:hs.test", "type": "m.room.message",
            "content": {"msgtype": "m.text", "body": "!whoami"}, "unsigned": {"age": 1},
        }  # fmt: skip
        assert cleaning.steward.push([event])[0] == 200
        assert time.monotonic() - started < 1 * patience()
    assert cleaning.job(cleaning.number)["state"] == "running"
    assert "admin" in cleaning.alice.ask("!whoami")


def test_a_second_heavy_job_waits(cleaning):
    cleaning.fill.media(cleaning.user("carol"), 2)
    card = cleaning.bob.plan("!purge-media 30d", timeout=60)
    cleaning.bob.confirm(card)
    second = cleaning.wait_job(card.plan_number, "queued", "running", "done")
    if cleaning.job(cleaning.number)["state"] == "running":
        assert second["state"] == "queued"
    cleaning.wait_job(cleaning.number, "done", timeout=180)
    cleaning.wait_job(card.plan_number, "done", timeout=60)


def test_a_room_of_a_running_job_is_not_planned_again(cleaning):
    fresh = cleaning.fill.dead_room(cleaning.user("carol"), name="Dead since")
    card = cleaning.bob.plan("!clean-rooms", timeout=60)
    assert set(cleaning.items(card.plan_number)) == {fresh}
    cleaning.bob.confirm(card)
    cleaning.wait_job(cleaning.number, "done", timeout=240)
    cleaning.wait_job(card.plan_number, "done", timeout=240)
    assert not cleaning.synapse.room_exists(fresh)
    assert gone(cleaning) == len(cleaning.dead)
    assert all(count == 1 for room, count in cleaning.deletions().items() if room in cleaning.dead)


def test_retry(new_world):
    """A room that Synapse could not delete is `failed`, the rest is done; retry is a new plan over the open items."""
    world = new_world().start()
    dead = world.fill.dead_room(world.user("carol"), name="Stubborn")
    rooms = [dead, *world.fill.copy_rooms(dead, 3)]
    # Something in the database holds on to the room: Synapse's own deletion fails.
    card = world.alice.plan("!clean-rooms")
    world.synapse.sql("CREATE FUNCTION holds_on() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'held'; END $$")
    world.synapse.sql(f"CREATE TRIGGER holds_on BEFORE DELETE ON rooms FOR EACH ROW WHEN (OLD.room_id = '{dead}') EXECUTE FUNCTION holds_on()")
    world.alice.confirm(card)
    job = world.wait_job(card.plan_number, "done", "failed", "stopped", timeout=120)
    world.synapse.sql("DROP TRIGGER holds_on ON rooms")
    assert world.synapse.room_exists(dead) and not any(world.synapse.room_exists(room) for room in rooms[1:])
    assert world.items(card.plan_number)[dead] == "failed", job
    again = world.alice.plan(f"!retry {card.plan_number}")
    assert set(world.items(again.plan_number)) == {dead}
    world.alice.confirm(again)
    world.wait_job(again.plan_number, "done", timeout=120)
    assert not world.synapse.room_exists(dead)
