"""A week in minutes, the clock of every server under control: reports, a policy that takes what it said, an alert that rings, is seen
and resolves, a missed run. `scripts/demo week` plays it as a conversation."""

import os
import re
import shutil

import pytest
from conftest import FOLDER

from support.clock import Clock
from support.postgres import Postgres
from support.process import Unavailable, wait_until
from support.world import Template, World

ECHO = print if os.environ.get("STEWARD_TEST_ECHO") else None


@pytest.fixture(scope="module")
def week(built):
    """PostgreSQL, Synapse and the bot, started by a clock that shows Sunday evening."""
    folder = FOLDER / "week"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        clock = Clock(folder)
    except Unavailable as missing:
        pytest.skip(str(missing))
    clock.jump_to(clock.next(20, weekday=6))
    problems = []
    with clock:
        postgres = Postgres(folder / "postgres").start()
        try:
            world = World("world_week", folder / "world", Template(folder / "template", postgres).prepare()).install()
            world.steward.change_config(alerts={"interval": "1s"})
            world.steward.start()
            world.enter("alice", ECHO)
            world.clock = clock
            yield world
            problems = world.close()
        finally:
            postgres.remove()
    assert not problems, "\n".join(problems)


def to(world, hour, minute=0, second=0, weekday=None):
    moment = world.clock.next(hour, minute, second, weekday)
    if ECHO:
        ECHO(f"\n======== {moment:%A %H:%M:%S}")
    world.clock.jump_to(moment)
    return moment


def night(world):
    """The policy's hour, and its run."""
    to(world, 2, 59, 58)
    ran = "SELECT last_run > now() - interval '5 minutes' FROM steward.schedule WHERE line LIKE 'run-policy%'"
    wait_until(lambda: world.synapse.sql(ran) == [(True,)], 30, "the policy to run")


def next_report(world, kind="Daily"):
    before = world.alice.conversation[-1]
    to(world, 7, 59, 58)
    return world.alice.wait_message(f"{kind} report · hs.test", after=before, timeout=30)


def media_there(world, files):
    return sum(world.synapse.local_media_file(file).exists() for file in files)


def uploads(world, count, days):
    """Last opened so many days ago, by the database's clock."""
    files = world.fill.media(world.user("carol"), count, 40_000)
    then = "(extract(epoch FROM now()) * 1000)::bigint - %s::bigint * 86400000"
    world.synapse.sql(f"UPDATE local_media_repository SET last_access_ts = {then}, created_ts = {then} WHERE media_id = ANY(%s)", (days, days, files))
    return files


def test_sunday_a_policy_is_made(week):
    world = week
    world.old = uploads(world, 6, 28)  # thirty days on Tuesday evening
    world.fresh = uploads(world, 80, 1)  # six of 86: no share of all media that would raise the level
    card = world.alice.plan('!policy add media 30d --at-most 4 --when "daily 03:00"')
    assert "No local media" in card and "Bound: 4 items" in card
    world.alice.confirm(card)
    world.alice.wait_message("Undo: !policy remove", after=card)
    assert "12 limits, all is well" in world.alice.ask("!alerts")


def test_monday_the_first_reports(week):
    before = week.alice.conversation[-1]
    daily = next_report(week)
    assert "The first report" in daily or "since" in daily
    weekly = week.alice.wait_message("Weekly report · hs.test", after=before)
    assert len(weekly.body.splitlines()) <= 18


def test_tuesday_nothing_is_old_enough(week):
    night(week)
    nothing = "SELECT last_outcome FROM steward.schedule WHERE line LIKE 'run-policy%'"
    wait_until(lambda: week.synapse.sql(nothing) != [("",)], 30, "the policy to run")
    assert media_there(week, week.old) == 6
    assert "since" in next_report(week)


def test_wednesday_the_policy_takes_what_it_may(week):
    world = week
    before = world.alice.conversation[-1]
    night(world)
    receipt = world.alice.wait_message("4 files", "freed", after=before, timeout=60)
    assert receipt and media_there(world, world.old) == 2, "four of six: its bound"
    assert media_there(world, world.fresh) == 80
    report = next_report(world)
    assert "freed" in report, "the report says what the bot did"


def test_thursday_the_rest_and_an_alert(week):
    world = week
    night(world)
    wait_until(lambda: media_there(world, world.old) == 0, 60, "the rest to go the next night")
    assert media_there(world, world.fresh) == 80
    next_report(world)
    to(world, 14)
    before = world.alice.conversation[-1]
    world.synapse.sql(
        "INSERT INTO users (name, creation_ts, admin, is_guest, deactivated) "
        "SELECT '@spam-' || n || ':hs.test', extract(epoch FROM now())::bigint, 0, 0, 0 FROM generate_series(1, 25) AS n"
    )
    told = world.alice.wait_message("registrations: 25, more than 20", after=before, timeout=60)
    assert told.rings
    world.alice.wait_reaction(told, "👀")
    world.alice.react(told, "👀")
    world.alice.wait_for(lambda: "👀 @alice:hs.test" in told.body, 30, "the alert to say who saw it")
    to(world, 15, 30)
    world.alice.wait_for(lambda: "✅" in told.body and "well again" in told.body, 60, "the alert to be over an hour later")
    assert re.search(r"From .* to .*, 1 h 3\d min", told.body), told.body


def test_friday_a_missed_run(week):
    world = week
    night(world)
    to(world, 7, 50)
    before = world.alice.conversation[-1]
    world.steward.stop()
    to(world, 9, 30)
    world.steward.start()
    missed = world.alice.wait_message("Missed", "report daily", after=before, timeout=30)
    number = re.search(r"!schedule run (\d+)", missed.body)[1]
    assert world.alice.wait_message("paused", "the bot was away", "run-policy", after=before)
    assert "Daily report" in world.alice.ask(f"!schedule run {number}", "Daily report")
    policy = world.synapse.sql("SELECT number FROM steward.schedule WHERE line LIKE 'run-policy%'")[0][0]
    world.alice.ask(f"!schedule resume {policy}", "goes on")


def test_saturday_synapse_is_down_at_report_time(week):
    """The report waits for it, with what was known at its hour."""
    world = week
    night(world)
    to(world, 7, 55)
    before = world.alice.conversation[-1]
    world.synapse.stop()
    to(world, 7, 59, 58)
    noted = "SELECT last_run > now() - interval '1 hour' FROM steward.schedule WHERE line = 'report daily'"
    wait_until(lambda: world.synapse.sql(noted) == [(True,)], 60, "the report to be made without Synapse")
    world.synapse.start()
    report = world.alice.wait_message("Daily report", after=before, timeout=90)
    assert "Synapse away" in report, report.body


def test_sunday_and_the_week_behind(week):
    world = week
    night(world)
    assert "since" in next_report(world)
    before = world.alice.conversation[-1]
    night(world)
    next_report(world)
    weekly = world.alice.wait_message("Weekly report · hs.test", "since", after=before)
    assert re.search(r"Database: .*\((\+|−)", weekly.body), weekly.body
    assert media_there(world, world.fresh) == 80, "what was opened within thirty days stays"
