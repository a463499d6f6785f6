"""Commands that run by themselves: confirmed once, capped, told when missed, paused when nobody stands for them any more."""

import re

import pytest

from support.process import wait_until


@pytest.fixture(scope="module")
def scheduled(new_world):
    """alice and bob command; dave is an operator."""
    world = new_world().start(join=("alice",))
    world.fill.media(world.user("carol"), 60, 20_000, age_days=1)
    return world


def schedule(world, number):
    columns = ("number", "timetable", "line", "author", "state", "reason", "last_outcome", "last_job", "cap_items")
    rows = world.synapse.sql(f"SELECT {', '.join(columns)} FROM steward.schedule WHERE number = %s", (number,))
    return dict(zip(columns, rows[0])) if rows else None


def make(world, line):
    """Sends the line, confirms its plan where it has one; the schedule's number."""
    made = "Undo: !schedule remove"
    card = world.alice.wait_message(after=world.alice.send(line), timeout=60, where=lambda m: "add-schedule" in m.body and (m.plan_number or made in m.body))
    if card.plan_number and made not in card.body:
        world.alice.confirm(card)
        card = world.alice.wait_message(made, after=card)
    return int(re.search(r"!schedule remove (\d+)", card.body)[1])


def due(world, number, ago="1 second"):
    world.synapse.sql(f"UPDATE steward.schedule SET next_run = now() - interval '{ago}' WHERE number = %s", (number,))


def gone(world, files):
    return [file for file in files if not world.synapse.local_media_file(file).exists()]


def last_event(world):
    return world.alice.conversation[-1]


def test_the_wrong_word_is_pointed_at(scheduled):
    answer = scheduled.alice.ask('!schedule add "daily 25:00" purge-media 30d')
    assert "daily 25:00\n      ^^^^^" in answer.body
    answer = scheduled.alice.ask('!schedule add "daily 03:00" purge-meda 30d')
    assert "purge-media" in answer.body
    answer = scheduled.alice.ask('!schedule add "daily 03:00" freeze')
    assert "cannot be scheduled" in answer.body
    assert scheduled.synapse.sql("SELECT count(*) FROM steward.schedule WHERE author <> ''") == [(0,)]


def test_a_read_needs_no_confirmation(scheduled):
    world = scheduled
    number = make(world, '!schedule add "in 1s" list-rooms --limit 3')
    assert world.alice.wait_message("rooms", after=last_event(world), timeout=20)
    wait_until(lambda: schedule(world, number)["state"] == "ended", 10, "the schedule to end")


def test_the_plan_is_a_dry_run_and_the_run_is_told(scheduled):
    world = scheduled
    files = world.fill.media(world.user("carol"), 2, 1_000)
    card = world.alice.plan('!schedule add "daily 03:00" purge-media 30d')
    assert "2 files" in card and "Cap: 4 items" in card and "Runs: " in card
    assert world.job(card.plan_number)["level"] == 3
    assert not gone(world, files)
    world.alice.confirm(card)
    receipt = world.alice.wait_message("Undo: !schedule remove", after=card)
    number = int(re.search(r"!schedule remove (\d+)", receipt.body)[1])
    assert not gone(world, files), "nothing runs before its time"
    due(world, number)
    announced = world.alice.wait_message("🗓", f"Schedule {number}", after=receipt)
    job = wait_until(lambda: schedule(world, number)["last_job"], 30, "the job of the run")
    done = world.wait_job(job, "done")
    assert done["asker"] == done["confirmed_by"] == "@alice:hs.test"
    assert gone(world, files) == files
    end = world.alice.wait_receipt(job)
    assert end.rings and "@alice:hs.test" in end.mentions
    world.alice.wait_reaction(announced, "✅")
    rows = world.synapse.sql("SELECT actor, line, outcome FROM steward.audit WHERE role = %s ORDER BY id", (f"schedule {number}",))
    assert [row[:2] for row in rows] == [("@alice:hs.test", "purge-media 30d")] * 2
    assert rows[0][2] == f"plan {job}" and rows[1][2].startswith("done")
    assert schedule(world, number)["state"] == "active"

    # Above the cap: its plan waits for a person.
    more = world.fill.media(world.user("carol"), 5, 1_000)
    due(world, number)
    plan = world.alice.wait_message("above the cap", f"schedule {number}", after=end)
    assert plan.rings and not gone(world, more)
    world.alice.ask(f"!schedule run {number}", "runs already")
    world.alice.confirm(plan)
    world.wait_job(plan.plan_number, "done")
    assert gone(world, more) == more


def test_missed_is_told_and_offered_not_run(scheduled):
    world = scheduled
    files = world.fill.media(world.user("carol"), 1, 1_000)
    number = make(world, '!schedule add "daily 03:00" purge-media 30d')
    before = last_event(world)
    world.steward.kill()
    due(world, number, "3 hours")
    world.steward.start()
    told = world.alice.wait_message("Missed", f"Schedule {number}", after=before)
    assert told.rings and f"!schedule run {number}" in told
    assert not gone(world, files)
    world.alice.send(f"!schedule run {number}")
    job = wait_until(lambda: schedule(world, number)["last_job"], 30, "the job")
    world.wait_job(job, "done")
    assert gone(world, files) == files
    world.alice.ask(f"!schedule remove {number}", "Undo: !schedule add")
    assert schedule(world, number) is None


def test_frozen_holds_schedules_back(scheduled):
    world = scheduled
    number = make(world, '!schedule add "every 1h" analyze events')
    world.alice.ask("!freeze")
    due(world, number, "1 second")
    assert not [m for m in world.alice.stays_silent(last_event(world), 4) if "Schedule" in m.body]
    assert world.steward.exec("thaw", "--yes").returncode == 0
    wait_until(lambda: schedule(world, number)["last_job"], 30, "the run after the thaw")
    world.alice.ask(f"!schedule pause {number}", "is paused")
    due(world, number)
    assert not [m for m in world.alice.stays_silent(last_event(world), 4) if "Schedule" in m.body]
    world.alice.ask(f"!schedule resume {number}", "goes on")
    world.alice.ask("!schedules", "analyze events")


def test_a_line_that_is_not_understood_any_more_pauses(scheduled):
    world = scheduled
    number = make(world, '!schedule add "every 1h" analyze events')
    world.synapse.sql("UPDATE steward.schedule SET line = 'tidy-up everything' WHERE number = %s", (number,))
    before = last_event(world)
    due(world, number)
    told = world.alice.wait_message("is paused", f"Schedule {number}", after=before)
    assert told.rings and "tidy-up" in told
    assert schedule(world, number)["state"] == "paused"


def test_an_author_without_the_role_pauses(scheduled):
    world = scheduled
    number = make(world, '!schedule add "every 1h" vacuum events')
    world.synapse.sql("UPDATE steward.schedule SET author = '@dave:hs.test' WHERE number = %s", (number,))
    before = last_event(world)
    due(world, number)
    told = world.alice.wait_message("is paused", "@dave:hs.test may not command here any more", after=before)
    assert told and schedule(world, number)["state"] == "paused"


def test_after_a_long_absence_what_changes_something_waits(scheduled):
    """The state file says when a bot last lived: the whole host may come from a backup."""
    world = scheduled
    number = make(world, '!schedule add "every 1h" analyze events')
    read = make(world, '!schedule add "every 1h" db-size')
    before = last_event(world)
    world.steward.stop()
    mark = next((world.steward.folder / "state").glob("journal.mark"))
    fields = mark.read_text().split()
    fields[-1] = str(int(fields[-1]) - 20 * 60_000)
    mark.write_text(" ".join(fields) + "\n")
    world.steward.start()
    told = world.alice.wait_message("paused", "the bot was away for 20 min", after=before)
    assert told.rings and "!schedule resume" in told
    assert schedule(world, number)["state"] == "paused"
    assert schedule(world, read)["state"] == "active", "what only reads goes on"
    world.alice.ask(f"!schedule resume {number}", "goes on")
