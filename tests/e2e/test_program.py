"""The program from a terminal: config errors, exec through the socket and alone, commands --json, SIGHUP, start and stop."""

import json
import time

import pytest
import yaml

from support.process import patience, wait_until


@pytest.fixture(scope="module")
def installed(new_world):
    return new_world().install()


def run_with(installed, change):
    """`steward run` with a changed config; it must end by itself. Returns its output."""
    path = installed.folder / "changed.yaml"
    config = installed.steward.config()
    text = change(config)
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(config))
    path.chmod(0o600)
    done = installed.steward.command("run", "--config", path, timeout=120)
    assert done.returncode != 0
    assert not [secret for secret in installed.secrets() if secret in done.stdout + done.stderr]
    return done.stdout + done.stderr


BROKEN = {
    "unknown key": (lambda c: c["bot"].update(stat_directory="x"), ["stat_directory", "state_directory"]),
    "unknown section": (lambda c: c.update(homeservr={}), ["homeservr", "homeserver"]),
    "wrong type": (lambda c: c["room"].update(admins="@alice:hs.test"), ["admins"]),
    "wrong number": (lambda c: c.update(safety={"max_level": "many"}), ["max_level"]),
    "out of range": (lambda c: c.update(safety={"max_level": 9}), ["max_level"]),
    "wrong duration": (lambda c: c.update(keep={"inbox": "30"}), ["keep.inbox"]),
    "wrong zone": (lambda c: c["room"].update(time_zone="Mars/Base"), ["Mars/Base"]),
    "missing key": (lambda c: c["homeserver"].pop("url"), ["homeserver.url"]),
    "missing file": (lambda c: c["appservice"].update(registration="nowhere.yaml"), ["nowhere.yaml"]),
    "several at once": (lambda c: (c["bot"].update(x=1), c["room"].update(y=2)), ["bot.x", "room.y"]),
    "not yaml": (lambda c: "homeserver: [", ["line"]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_config_errors(installed, case):
    change, expected = BROKEN[case]
    said = run_with(installed, change)
    for words in expected:
        assert words in said, said


def test_a_config_with_secrets_that_others_can_read(installed):
    path = installed.folder / "open.yaml"
    path.write_text(installed.steward.config_path.read_text())
    path.chmod(0o644)
    done = installed.steward.command("run", "--config", path, timeout=30)
    assert done.returncode != 0 and "chmod" in done.stderr + done.stdout


def test_a_secret_file_that_others_can_read(installed):
    secret = installed.folder / "database"
    secret.write_text(installed.steward.database_url)
    secret.chmod(0o644)

    def change(config):
        config["database"].pop("synapse")
        config["database"]["synapse_file"] = str(secret)

    said = run_with(installed, change)
    assert "chmod" in said and str(secret) in said


def test_a_missing_config(installed):
    done = installed.steward.command("run", "--config", installed.folder / "none.yaml")
    assert done.returncode != 0 and "none.yaml" in done.stderr


def test_version_and_commands(installed):
    done = installed.steward.command("version", check=True)
    assert any(character.isdigit() for character in done.stdout)
    commands = json.loads(installed.steward.command("commands", "--json", check=True).stdout)
    by_name = {command["name"]: command for command in commands}
    for name in (
        "help", "status", "version", "ping", "whoami", "settings", "allow", "deny", "freeze", "thaw", "appservices", "audit",
        "jobs", "job", "log", "cancel", "pause", "resume", "retry", "yes", "no", "purge-media", "purge-user-media", "media-usage",
        "list-rooms", "room", "clean-rooms", "db", "db-size", "db-growth", "db-bloat", "db-activity", "check-db", "query", "db-stop",
    ):  # fmt: skip
        assert name in by_name, name
    for command in commands:
        assert {"name", "aliases", "group", "level", "arguments", "flags", "sources", "safe_while_running", "summary"} <= set(command)
    assert by_name["clean-rooms"]["level"] == 4 and by_name["purge-media"]["level"] == 3 and by_name["status"]["level"] == 0
    names = [name for command in commands for name in [command["name"], *command["aliases"]]]
    assert len(names) == len(set(names))


def test_exec_alone(installed):
    """Without a running bot it takes the lock and answers itself."""
    done = installed.steward.exec("status")
    assert done.returncode == 0 and done.stdout.strip(), done.stderr
    done = installed.steward.exec("clean-rooms --dry-run")
    assert done.returncode == 0, done.stderr
    assert installed.steward.exec("clean-rooms dryrun").returncode != 0
    assert installed.steward.exec("frobnicate").returncode != 0
    json.loads(installed.steward.exec("status", "--json").stdout)


def test_exec_without_yes_changes_nothing(installed):
    old = installed.fill.media(installed.user("bob"), 1)
    installed.fill.media(installed.user("bob"), 40, age_days=1)
    done = installed.steward.exec("purge-media 30d")
    assert installed.synapse.local_media_file(old[0]).exists()
    assert done.returncode != 0 and "--yes" in done.stdout + done.stderr


def test_exec_with_yes_acts(installed):
    old = installed.fill.media(installed.user("bob"), 2)
    done = installed.steward.exec("purge-media 30d", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not any(installed.synapse.local_media_file(media).exists() for media in old)


def test_exec_through_the_running_bot(new_world):
    """The socket is private; the running bot does it; the room hears of it; one journal."""
    world = new_world().start()
    assert world.steward.exec("status").returncode == 0
    old = world.fill.media(world.user("bob"), 2)
    world.fill.media(world.user("bob"), 30, age_days=1)
    done = world.steward.exec("purge-media 30d", "--yes", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    json.loads(done.stdout)
    assert not any(world.synapse.local_media_file(media).exists() for media in old)
    sockets = [path for path in (world.steward.folder / "state").rglob("*") if path.is_socket()]
    assert sockets and all(path.stat().st_mode & 0o077 == 0 for path in sockets)
    assert world.synapse.sql("SELECT 1 FROM steward.audit WHERE line LIKE %s", ("%purge-media%",))


def test_exec_read_only_while_synapse_is_stopped(new_world):
    """A command that needs only the database works then."""
    world = new_world().install()
    world.synapse.stop()
    done = world.steward.exec("media-usage")
    assert done.returncode == 0, done.stdout + done.stderr


def test_ready_in_time_and_small(new_world):
    """Budgets of DESIGN §11 are measured in bench/; here only that nothing is grossly wrong."""
    world = new_world().start()
    world.steward.stop()
    started = time.monotonic()
    world.steward.start()
    assert time.monotonic() - started < 3 * patience()
    assert world.steward.memory() < 100 << 20


def test_stop_and_start_again(new_world):
    world = new_world().start()
    first = world.room
    assert world.steward.stop() == 0
    world.steward.start()
    assert world.alice.ask("!whoami")
    rooms = world.synapse.sql("SELECT room_id FROM local_current_membership WHERE user_id = %s AND membership = 'join'", (world.steward.user_id,))
    assert rooms == [(first,)]
    welcome = [message for message in world.alice.bot_messages() if "!help" in message.body and "!whoami" in message.body]
    assert len(welcome) <= 2


def test_hang_up_rereads_what_is_safe(new_world):
    """SIGHUP: the level of the log and the cap change at once; the port does not, and the log says so."""
    world = new_world().start()
    world.steward.change_config(safety={"max_level": 0}, appservice={"bind": "127.0.0.1:1"}, log={"level": "debug"})
    world.steward.hang_up()
    wait_until(lambda: "appservice.bind" in world.steward.log(), 10, "a word about what needs a restart")
    world.fill.remote_media(count=1)
    answer = world.alice.ask("!purge-media 30d --remote", timeout=60)
    assert answer.plan_number is None
    assert world.steward.running


def test_hang_up_with_a_broken_config_keeps_the_old(new_world):
    world = new_world().start()
    good = world.steward.config_path.read_text()
    world.steward.config_path.write_text(good + "\nnonsense: [1\n")
    world.steward.hang_up()
    time.sleep(2)
    assert world.steward.running and world.alice.ask("!whoami")
    world.steward.config_path.write_text(good)


def test_the_audit_names_everything(new_world):
    world = new_world().start()
    world.alice.ask("!whoami")
    world.alice.ask("!status", timeout=60)
    rows = world.synapse.sql("SELECT actor, line, previous, hash FROM steward.audit ORDER BY id")
    assert {"@alice:hs.test"} <= {row[0] for row in rows}
    lines = " ".join(row[1] for row in rows)
    assert "whoami" in lines and "status" in lines
    assert all(later[2] == earlier[3] for earlier, later in zip(rows, rows[1:]))
