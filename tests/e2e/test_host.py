"""Synapse stopped, started and upgraded by steward-host, asked by the bot: !restart, !check-backup, !maintenance, !upgrade on real
environments made by pip, one that is rolled back, a start that waits for the database, a bot that dies meanwhile."""

import re
import time

import pytest
import yaml
from conftest import FOLDER

from support.host import Host, environment
from support.process import Unavailable, wait_until
from support.synapse import ON_OLDEST, interpreter
from support.world import Template, World

OLD, NEW = "1.150.0", "1.163.2"
# The older one does not know it.
REFUSED_BY_THE_NEWEST = {"limit_profile_requests_to_users_who_share_rooms": True}

pytestmark = pytest.mark.skipif(ON_OLDEST, reason="it upgrades a release in between to the newest; the oldest is not meant")


@pytest.fixture(scope="module")
def world(postgres, built):
    """A Synapse of the older release on a database that this release made; steward-host runs it from its environment."""
    base = FOLDER / "host"
    try:
        old = environment(base / "env-old", OLD, interpreter().parent.parent)
        template = Template(base / "template", postgres)
        template.synapse.python = old / "bin/python"
        template.synapse.database = "template_host"
        template.prepare()
    except Unavailable as missing:
        pytest.skip(str(missing))
    world = World("world_host", base / "world", template, settings={"server_notices": {"system_mxid_localpart": "notices"}})
    world.synapse.python = old / "bin/python"
    world.start()
    world.fill_rooms = [world.fill.dead_room(world.user("bob"), world.user("carol"), name="Old", messages=3)]
    world.fill_rooms += world.fill.copy_rooms(world.fill_rooms[0], 3)
    world.host = Host(base / "host", world.synapse, old)
    yield world
    problems = world.close()
    assert not problems, "\n".join(problems)


def receipt(world, card, *texts, timeout=120):
    """The report, not the job's message, which is edited to its short form: what Synapse says of itself stands only in it."""
    return world.alice.wait_message(f"Job {card.plan_number} ·", "Synapse: ", *texts, timeout=timeout)


def use_host(world):
    """From here on Synapse is steward-host's."""
    world.host.start()
    world.synapse.stop()
    lines, ending = world.host.ask("start")
    assert ending == f"done Synapse {OLD} answers", (lines, ending, world.host.log())
    world.steward.stop()
    world.steward.change_config(host={"socket": str(world.host.socket_path)})
    world.steward.start()


def test_not_configured_is_said_with_what_to_write_where(world):
    for line in ("!restart", "!upgrade", "!upgrade --check", "!check-backup", "!maintenance clean-rooms --method offline"):
        answer = world.alice.ask(line, "host.socket")
        assert "docs/host.md" in answer.body, answer.body
    use_host(world)
    _, ending = world.host.ask("backup")
    assert ending == "refused `actions.backup` is not set in host.yaml"


def test_restart(world):
    card = world.alice.plan("!restart")
    assert card.plan_words.endswith(" restart")
    world.alice.confirm(card)
    job = world.wait_job(card.plan_number, "done")
    told = receipt(world, card, f"Synapse {OLD} answers")
    assert told.rings and f"Synapse: {OLD}, healthy" in told.body, told.body
    assert "Synapse is stopped after" in told.body
    assert job["state"] == "done"


def test_backup_and_disk(world):
    assert "no dump" in world.alice.ask("!check-backup", "backup").body
    world.host.dump(b"<html>not found")
    assert "does not begin as" in world.alice.ask("!check-backup", "wrong").body
    world.host.dump()
    answer = world.alice.ask("!check-backup", "all checks pass")
    assert "pg_dump custom format" in answer.body and "2.0 kB" in answer.body, answer.body
    report = world.alice.ask("!report disk", "disk report")
    assert re.search(r"Disk /.*: .+ free of ", report.body), report.body
    world.host.restart(actions={**world.host.settings["actions"], "disk": ["/bin/df", "/nowhere"]})
    report = world.alice.ask("!report disk", "disk report")
    assert "Left out: " in report.body and "disk figures cannot be read" in report.body, report.body


def test_a_window_with_an_offline_command(world):
    refused = world.alice.ask("!maintenance purge-media 30d", "asks Synapse")
    assert "cannot run while Synapse is stopped" in refused.body
    world.synapse.sql("DELETE FROM user_daily_visits")
    world.synapse.sql(
        "INSERT INTO user_daily_visits (user_id, device_id, timestamp, user_agent) VALUES ('@dave:hs.test', 'D', %s, '')",
        (int(time.time() * 1000),),
    )
    card = world.alice.plan("!maintenance clean-rooms --method offline --older 30d")
    assert card.plan_words.endswith(f" {len(world.fill_rooms)}"), card.body
    assert "Window:" in card.body and "5 min" in card.body
    world.alice.confirm(card)
    # In the room only: a look into the database would be somebody who is connected to it.
    told = receipt(world, card)
    assert "rooms deleted" in told.body, told.body
    world.wait_job(card.plan_number, "done")
    assert f"Synapse {OLD} answers" in told.body and "Told: 1 person" in told.body, told.body
    assert not any(world.synapse.room_exists(room) for room in world.fill_rooms)
    assert world.synapse.sql_value("SELECT count(*) FROM room_memberships WHERE user_id = '@dave:hs.test' AND sender = '@notices:hs.test'") >= 1


def test_a_bot_that_dies_in_a_window_goes_on_with_it(world):
    """Killed while steward-host stops Synapse for it, started again at once: it has Synapse started, and does the work in
    another window."""
    card = world.alice.plan("!maintenance --no-notice vacuum-full events")
    said = len(world.host.log())
    world.alice.confirm(card)
    wait_until(lambda: "asked for stop" in world.host.log()[said:], 30, "the stop")
    world.steward.kill()
    world.steward.start(wait=False)
    world.wait_job(card.plan_number, "done", timeout=60)
    told = receipt(world, card, f"Synapse {OLD} answers")
    assert "Told:" not in told.body and f"Synapse: {OLD}, healthy" in told.body, told.body
    log = world.host.log()[said:]
    assert log.count("asked for stop") == 2 and log.count("asked for start") == 2, log
    assert "Synapse was stopped and not started again" in world.steward.log()


def change_synapse(world, **settings):
    config = yaml.safe_load(world.synapse.config_path.read_text())
    for key, value in settings.items():
        config.pop(key, None) if value is None else config.update({key: value})
    world.synapse.write_config(config)


def test_check_and_refusals_before_an_upgrade(world):
    check = world.alice.ask("!upgrade --check", f"Upgrade to {NEW}")
    for words in (f"{OLD} runs from the environment", "Python: 3.", "PostgreSQL: 15", "leaves a database for 84", "synapse.dump", "1.163: does not start with"):
        assert words in check.body, check.body
    assert "is not above" in world.alice.ask("!upgrade 1.141.0", "not upgraded").body
    assert "no release" in world.alice.ask("!upgrade latest", "release").body


def test_an_upgrade_that_does_not_come_up_is_rolled_back(world):
    change_synapse(world, **REFUSED_BY_THE_NEWEST)
    card = world.alice.plan(f"!upgrade {NEW}")
    assert card.plan_words.endswith(f" {NEW}"), card.body
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "failed", timeout=240)
    told = receipt(world, card, f"Rolled back: Synapse {OLD} runs again")
    assert f"Going back to {OLD}" in told.body and f"Synapse: {OLD}, healthy" in told.body, told.body
    assert world.host.synapse_version() == OLD
    assert world.host.link.resolve().name == "env-old"
    change_synapse(world, **dict.fromkeys(REFUSED_BY_THE_NEWEST))


def test_a_configuration_that_does_not_fit_touches_nothing(world):
    """The new release reads it before the stop; with the next upgrade it fits."""
    upgrade = world.host.settings["upgrade"] | {"check": ["{environment}/bin/python", "-m", "synapse.config", "-c", str(world.synapse.config_path)]}
    world.host.restart(upgrade=upgrade)
    change_synapse(world, **REFUSED_BY_THE_NEWEST)
    card = world.alice.plan(f"!upgrade {NEW}")
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "failed", timeout=240)
    change_synapse(world, **dict.fromkeys(REFUSED_BY_THE_NEWEST))
    told = receipt(world, card, "Synapse was not touched")
    assert f"the configuration does not fit {NEW}" in told.body and "require_auth_for_profile_requests" in told.body, told.body
    assert "Stopping" not in told.body and world.host.synapse_version() == OLD


def test_pip_that_fails_touches_nothing(world):
    answers = world.host.synapse_version()
    card = world.alice.plan("!upgrade 1.162.99")
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "failed", timeout=240)
    told = receipt(world, card, "Synapse was not touched")
    assert "1.162.99" in told.body and f"{answers} runs on" in told.body, told.body
    _, ending = world.host.ask("state")
    assert ending.startswith("done"), ending


def test_an_upgrade_waits_for_the_database_and_is_told_by_a_bot_that_died(world):
    """Another session holds what the migration needs for longer than start_limit: waited for, never killed."""
    assert world.synapse.sql_value("SELECT version FROM schema_version") == 93
    card = world.alice.plan(f"!upgrade {NEW}")
    world.alice.confirm(card)
    wait_until(lambda: "Stopping Synapse" in world.host.log().rsplit("asked for upgrade", 1)[1], 120, "the stop")
    with world.postgres.connect(world.synapse.database) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE schema_compat_version IN ACCESS EXCLUSIVE MODE")
        wait_until(lambda: "The link is switched" in world.host.log().rsplit("asked for upgrade", 1)[1], 60, "the switch")
        world.steward.kill()
        time.sleep(9)
        assert world.host.synapse_version() is None
        assert "Going back" not in world.host.log().rsplit("asked for upgrade", 1)[1]
        cursor.execute("ROLLBACK")
    world.steward.start(wait=False)
    world.steward.wait_ready(90)
    job = world.wait_job(card.plan_number, "done", timeout=120)
    told = receipt(world, card, f"upgraded from {OLD} to {NEW}")
    assert f"Verified: the API says {NEW}" in told.body and f"The configuration fits {NEW}" in told.body, (told.body, job)
    assert world.host.synapse_version() == NEW
    assert world.synapse.sql_value("SELECT version FROM schema_version") == 94
    assert world.host.link.resolve().name == NEW
    assert world.host.log().count(f"asked for upgrade {NEW}") == 3, "the rolled back one, the one not begun, and this one once"
    again = world.alice.ask("!upgrade", "not upgraded", timeout=60)
    assert "is not above" in again.body
