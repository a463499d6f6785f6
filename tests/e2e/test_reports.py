"""Reports: the same lines in the same order, what changed in bold, by themselves at the report hours."""

import re

import pytest

from support.process import wait_until

LABELS = ["Database", "Media", "Users", "Rooms", "Watch"]


@pytest.fixture(scope="module")
def reported(new_world):
    world = new_world().start()
    world.fill.media(world.user("carol"), 3, 20_000, age_days=1)
    return world


def age(world, days=1):
    """The numbers of the last report were taken so long ago."""
    world.synapse.sql("DELETE FROM steward.figure WHERE taken_at < (SELECT max(taken_at) FROM steward.figure)")
    world.synapse.sql(f"UPDATE steward.figure SET taken_at = now() - interval '{days} days'")


def labels(message):
    return [line.split(":")[0] for line in message.body.splitlines() if line.split(":")[0] in LABELS]


def test_the_first_report_says_so(reported):
    report = reported.alice.ask("!report", "Daily report")
    assert labels(report) == LABELS
    assert "first report" in report and "Left out" not in report
    assert "3 files, 58.6 kB" in report and " people" in report


def test_what_changed_is_bold(reported):
    age(reported)
    reported.fill.media(reported.user("carol"), 2, 50_000, age_days=1)
    report = reported.alice.ask("!report daily", "Daily report", "since")
    assert labels(report) == LABELS
    assert re.search(r"<(strong|b)>5 files \(\+2\)</", report.html), report.html
    assert "(+97.7 kB)" in report and "new events" in report


def test_nothing_new_is_one_line(reported):
    world = reported
    world.synapse.sql("UPDATE users SET creation_ts = creation_ts - 30 * 86400")
    for attempt in range(3):
        world.synapse.sql("DELETE FROM steward.figure")
        world.alice.ask("!report", "first report")
        age(world)
        # The command itself is an event; the database's size as it is now.
        world.synapse.sql("UPDATE steward.figure SET value = 1000000000 WHERE name = 'events_position'")
        world.synapse.sql("UPDATE steward.figure SET value = pg_database_size(current_database()) WHERE name = 'database_bytes'")
        report = world.alice.ask("!report", "Daily report")
        if "Nothing new" in report:
            break
    assert "Nothing new" in report and len(report.body.splitlines()) == 2


def test_weekly_disk_media_users(reported):
    world = reported
    world.synapse.sql(
        "INSERT INTO user_daily_visits (user_id, device_id, timestamp) SELECT '@u' || u || ':hs.test', 'D', "
        "(extract(epoch FROM date_trunc('day', now())) * 1000)::bigint - d * 86400000 FROM generate_series(0, 6) AS d, generate_series(0, d) AS u"
    )
    weekly = world.alice.ask("!report weekly", "Weekly report")
    assert labels(weekly) == LABELS
    visits = world.alice.wait_message("People by day: 7 (", after=weekly)
    assert visits.msgtype == "m.image" and re.search(r"7 \(\d{4}-\d\d-\d\d\) → 1 \(", visits.body), visits.body
    assert len(weekly.body.splitlines()) <= 18
    assert "Database" in world.alice.ask("!report disk", "Disk report")
    assert "hs.test" in world.alice.ask("!report media", "Media report")
    assert "seen within a week" in world.alice.ask("!report users", "Users report")
    assert {row["name"] for row in world.steward.exec_json("report")} >= {"database_bytes", "abuse", "people"}


def test_reports_come_by_themselves(reported):
    world = reported
    rows = world.synapse.sql("SELECT timetable, line, to_char(next_run AT TIME ZONE 'UTC', 'HH24:MI') FROM steward.schedule ORDER BY number")
    assert rows == [("daily report-hours", "report daily", "08:00"), ("mon report-hours", "report weekly", "08:00")]
    world.alice.ask("!settings report-hours 09:30", "09:30")
    hour = "SELECT to_char(next_run AT TIME ZONE 'UTC', 'HH24:MI') FROM steward.schedule WHERE line = 'report daily'"
    wait_until(lambda: world.synapse.sql(hour) == [("09:30",)], 15, "the schedule to follow the setting")
    before = world.alice.conversation[-1]
    world.synapse.sql("UPDATE steward.schedule SET next_run = now() WHERE line = 'report daily'")
    assert world.alice.wait_message("Daily report · hs.test", after=before, timeout=20)
    world.alice.ask("!settings report-hours off", "off")
    wait_until(lambda: world.synapse.sql(hour) == [(None,)], 15, "no report any more")


def test_a_removed_report_stays_away(reported):
    world = reported
    number = world.synapse.sql("SELECT number FROM steward.schedule WHERE line = 'report weekly'")[0][0]
    world.alice.ask(f"!schedule remove {number}", "is removed")
    world.steward.restart()
    assert world.synapse.sql("SELECT count(*) FROM steward.schedule WHERE line = 'report weekly'") == [(0,)]
