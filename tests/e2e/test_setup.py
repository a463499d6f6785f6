"""`steward setup` on every kind of server the issue names, `steward check`, and what happens when a name is taken."""

import os
import shutil
import stat
import time
from email.utils import formatdate

import pytest
import yaml

from support.process import wait_until
from support.proxy import Proxy
from support.steward import Steward
from support.synapse import Synapse


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_two_stages(new_world):
    """Before the restart it writes two files and says which line to add; after it both users exist and the sender is admin."""
    world = new_world()
    world.synapse.start()
    first = world.steward.setup("--no-wait", check=False)
    assert "app_service_config_files" in first.stdout and str(world.steward.registration_path) in first.stdout
    assert "restart" in first.stdout.lower()
    assert mode(world.steward.config_path) == 0o600 and mode(world.steward.registration_path) == 0o640
    assert first.returncode == 0, first.stdout + first.stderr
    assert not world.synapse.sql("SELECT 1 FROM users WHERE name LIKE '@%%steward%%'")

    world.synapse.add_registration(world.steward.registration_path)
    world.synapse.restart()
    second = world.steward.setup()
    assert second.returncode == 0
    rows = dict(world.synapse.sql("SELECT name, admin FROM users WHERE appservice_id IS NOT NULL"))
    assert rows == {"@steward:hs.test": 0, "@_steward_as:hs.test": 1}
    # The admin made to lend the right is gone again.
    admins = world.synapse.sql("SELECT name FROM users WHERE admin = 1 AND deactivated = 0")
    assert {name for (name,) in admins} == {"@harness:hs.test", "@_steward_as:hs.test"}


def test_again_without_harm(new_world):
    world = new_world().install()
    before = (world.steward.registration_path.read_text(), world.steward.config_path.read_text())
    for _ in range(2):
        assert world.steward.setup().returncode == 0
    assert before == (world.steward.registration_path.read_text(), world.steward.config_path.read_text())
    world.start()
    assert world.steward.setup().returncode == 0
    assert world.alice.ask("!whoami")


def test_registration(new_world):
    world = new_world().install()
    registration = world.steward.registration
    assert registration["sender_localpart"] == "_steward_as" and registration["rate_limited"] is False
    assert registration["io.element.msc4190"] is True and registration["url"] == f"http://127.0.0.1:{world.steward.port}"
    assert registration["namespaces"]["users"] == [{"exclusive": True, "regex": "^@steward:hs\\.test$"}]
    assert "127.0.0.1/32" in registration["ip_range_whitelist"]
    assert len(registration["as_token"]) >= 32 and registration["as_token"] != registration["hs_token"]


def test_no_secret_is_printed(new_world):
    world = new_world()
    for done in world.steward.install():
        said = done.stdout + done.stderr
        assert not [secret for secret in world.secrets() if secret in said]
    done = world.steward.check()
    assert not [secret for secret in world.secrets() if secret in done.stdout + done.stderr]


def test_with_only_an_admins_token(new_world):
    """No shared secret in homeserver.yaml: an existing admin's token makes the sender admin."""
    world = new_world(settings={"registration_shared_secret": None})
    token = world.folder / "token"
    token.write_text(world.user("harness").token + "\n")
    token.chmod(0o600)
    world.steward.install("--admin-token-file", token)
    assert world.synapse.sql_value("SELECT admin FROM users WHERE name = '@_steward_as:hs.test'") == 1
    world.start()
    assert world.alice.ask("!whoami")


def test_with_neither(new_world):
    """It says exactly what to do, does not claim success, and goes on where it was once an admin acted."""
    world = new_world(settings={"registration_shared_secret": None})
    world.steward.setup("--no-wait")
    world.synapse.add_registration(world.steward.registration_path)
    world.synapse.start()
    done = world.steward.setup(check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "/_synapse/admin/v1/users/" in said and "--admin-token-file" in said and "registration_shared_secret" in said
    world.synapse.admin("PUT", "/v1/users/@_steward_as:hs.test/admin", {"admin": True})
    assert world.steward.setup().returncode == 0


def test_shared_secret_file(new_world):
    """registration_shared_secret_path in homeserver.yaml, and --shared-secret-file."""
    world = new_world()
    secret = world.folder / "shared_secret"
    secret.write_text(world.synapse.shared_secret)
    secret.chmod(0o600)
    world.synapse.settings = {"registration_shared_secret": None, "registration_shared_secret_path": str(secret)}
    world.synapse.configure()
    world.steward.install()
    assert world.synapse.sql_value("SELECT admin FROM users WHERE name = '@_steward_as:hs.test'") == 1


def test_conf_d(new_world):
    """homeserver.yaml with a folder of further files, where the database and the secret stand."""
    world = new_world()
    whole = world.synapse.config()
    folder = world.synapse.folder / "conf.d"
    folder.mkdir()
    parts = {"database.yaml": ["database"], "secrets.yaml": ["registration_shared_secret"], "name.yaml": ["server_name"]}
    for file, keys in parts.items():
        (folder / file).write_text(yaml.safe_dump({key: whole.pop(key) for key in keys}))
    whole.pop("app_service_config_files", None)
    world.synapse.write_config(whole)
    steward = world.steward

    def setup():
        return steward.setup("--homeserver-yaml", folder, "--no-wait", check=False)

    first = setup()
    assert first.returncode == 0, first.stdout + first.stderr
    (folder / "appservice.yaml").write_text(yaml.safe_dump({"app_service_config_files": [str(steward.registration_path)]}))
    world.synapse.start(more_config=[folder])
    second = setup()
    assert second.returncode == 0, second.stdout + second.stderr
    assert steward.config()["homeserver"]["server_name"] == "hs.test"
    steward.start()
    world.enter("alice")
    assert world.alice.ask("!whoami")


def test_split_by_flags_alone(new_world):
    """As in containers: no homeserver.yaml here, other paths and hosts there; everything is a flag."""
    world = new_world()
    steward = world.steward
    steward.folder.mkdir()
    inside = world.folder / "inside-of-synapse"
    inside.mkdir()
    secret = world.folder / "secret"
    secret.write_text(world.synapse.shared_secret)
    secret.chmod(0o600)
    arguments = [
        "setup", "--config", steward.config_path, "--registration", steward.registration_path,
        "--registration-path-in-synapse", inside / "steward.yaml", "--server-name", "hs.test",
        "--synapse-url", world.synapse.url.replace("127.0.0.1", "localhost"), "--bot-url", f"http://localhost:{steward.port}",
        "--bind", f"0.0.0.0:{steward.port}", "--database", steward.database_url, "--state-directory", steward.folder / "state",
        "--admin", "@alice:hs.test", "--shared-secret-file", secret, "--no-wait",
    ]  # fmt: skip
    printed = steward.command(*arguments, "--print")
    assert printed.returncode == 0 and "sender_localpart" in printed.stdout and str(inside / "steward.yaml") in printed.stdout
    assert not steward.config_path.exists() and not steward.registration_path.exists()

    world.synapse.start()
    first = steward.command(*arguments)
    assert first.returncode == 0, first.stdout + first.stderr
    assert str(inside / "steward.yaml") in first.stdout
    shutil.copy(steward.registration_path, inside / "steward.yaml")
    world.synapse.add_registration(inside / "steward.yaml")
    world.synapse.restart()
    second = steward.command(*arguments)
    assert second.returncode == 0, second.stdout + second.stderr
    steward.start()
    world.enter("alice")
    assert world.alice.ask("!whoami")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start Synapse as another user")
def test_synapse_runs_as_another_user(new_world):
    """The registration is 0640 with that user's group, proven readable; Synapse starts with it."""
    import pwd

    world = new_world()
    if not all(parent.stat().st_mode & 0o001 for parent in world.folder.resolve().parents):
        pytest.skip("this checkout lies in a folder that other users cannot enter")
    world.synapse.os_user = "nobody"
    world.synapse.configure()
    first = world.steward.setup("--no-wait", check=False)
    assert first.returncode == 0, first.stdout + first.stderr
    entry = world.steward.registration_path.stat()
    assert mode(world.steward.registration_path) == 0o640
    assert entry.st_gid == pwd.getpwnam("nobody").pw_gid
    world.synapse.add_registration(world.steward.registration_path)
    shutil.chown(world.synapse.config_path, "nobody")
    world.synapse.start()
    assert world.steward.setup().returncode == 0
    world.steward.start()
    world.enter("alice")
    assert world.alice.ask("!whoami")


def test_a_folder_that_synapse_cannot_enter(new_world):
    if os.getuid() != 0:
        pytest.skip("only root can start Synapse as another user")
    world = new_world()
    world.synapse.os_user = "nobody"
    world.synapse.configure()
    world.steward.folder.mkdir()
    world.steward.folder.chmod(0o700)
    done = world.steward.setup("--no-wait", check=False)
    assert done.returncode != 0 and "nobody" in done.stdout + done.stderr


def test_a_person_owns_the_name(new_world):
    """Nothing is taken from the person, another name is offered, and it works with that."""
    world = new_world()
    world.synapse.start()
    person = world.synapse.register("steward")
    done = world.steward.setup("--no-wait", check=False)
    if done.returncode == 0:  # found only after the restart
        world.synapse.add_registration(world.steward.registration_path)
        world.synapse.restart()
        done = world.steward.setup(check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "@steward:hs.test" in said and "--localpart" in said
    assert world.synapse.sql_value("SELECT admin FROM users WHERE name = '@steward:hs.test'") == 0
    assert world.synapse.client("GET", "/account/whoami", token=person)["user_id"] == "@steward:hs.test"
    again = world.steward.setup("--no-wait", "--localpart", "caretaker", check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    world.synapse.add_registration(world.steward.registration_path)
    world.synapse.restart()
    assert world.steward.setup("--localpart", "caretaker").returncode == 0
    world.steward.start()
    alice = world.client("alice")
    alice.bot_id = "@caretaker:hs.test"
    alice.join_admin_room(60)
    assert alice.ask("!whoami")


def test_a_taken_name_at_the_start_of_the_bot(new_world):
    """The bot's user is not ours any more: it does not invite anybody into that person's room."""
    world = new_world().install()
    world.synapse.sql("UPDATE users SET appservice_id = NULL WHERE name = '@steward:hs.test'")
    world.synapse.restart()
    world.steward.start(wait=False)
    time.sleep(5)
    assert not world.synapse.sql("SELECT 1 FROM room_memberships WHERE user_id = '@alice:hs.test' AND sender = '@steward:hs.test'")
    assert "@steward:hs.test" in world.steward.log()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--admin", "alice"], "alice"),
        (["--bind", "nonsense"], "--bind"),
        (["--unknown-flag"], "unknown-flag"),
    ],
)
def test_wrong_flags(new_world, arguments, expected):
    world = new_world(admins=())
    admins = [] if "--admin" in arguments else ["--admin", "@alice:hs.test"]
    done = world.steward.setup("--no-wait", *admins, *arguments, check=False)
    assert done.returncode != 0 and expected in done.stderr + done.stdout
    assert not world.steward.config_path.exists()


def test_a_homeserver_yaml_that_is_not_there(new_world):
    world = new_world()
    done = world.steward.command("setup", "--homeserver-yaml", world.folder / "nothing.yaml", "--admin", "@a:hs.test",
                                 "--config", world.folder / "c.yaml")  # fmt: skip
    assert done.returncode != 0 and "nothing.yaml" in done.stderr + done.stdout


def test_the_doctor(new_world):
    world = new_world().start()
    done = world.steward.check()
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    assert len(lines) >= 5


def test_the_doctor_finds_a_wrong_hs_token(new_world):
    """Synapse and the bot disagree about the token: the ping says so, and how to mend it."""
    world = new_world().install()
    text = world.steward.registration_path.read_text()
    world.steward.registration_path.write_text(text.replace(world.steward.registration["hs_token"], "0" * 64))
    world.steward.start(wait=False)
    world.steward.wait_ready()
    done = world.steward.check()
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "hs_token" in said and "restart" in said.lower()


def test_clocks_that_differ(new_world):
    """The bot's host is hours off: the doctor warns; commands run all the same, because their age is Synapse's own word."""
    world = new_world().install()
    proxy = Proxy(world.synapse.url).start()
    world.steward.change_config(homeserver={"url": proxy.url})
    proxy.rule("GET /_matrix/client/versions", headers={"Date": formatdate(time.time() + 3 * 3600, usegmt=True)})
    world.start()
    done = world.steward.check()
    assert "clocks of bot and Synapse differ by 10" in done.stdout + done.stderr
    wait_until(lambda: "clocks of bot and Synapse differ by 10" in world.steward.log(), 20, "the running bot's own warning")
    assert world.alice.ask("!whoami")
    proxy.clear()
    assert "clocks of bot and Synapse agree" in world.steward.check().stdout
    world.steward.stop()
    proxy.stop()


def test_remove(new_world):
    """Demotes the sender, keeps the audit as a file, says what to take out."""
    world = new_world().start()
    world.alice.ask("!whoami")
    world.steward.stop()
    audit = world.folder / "audit.csv"
    token = world.folder / "token"
    token.write_text(world.user("harness").token)
    token.chmod(0o600)
    done = world.steward.command("remove", "--config", world.steward.config_path, "--admin-token-file", token, "--audit-file", audit)
    assert done.returncode == 0, done.stdout + done.stderr
    assert world.synapse.sql_value("SELECT admin FROM users WHERE name = '@_steward_as:hs.test'") == 0
    assert "alice" in audit.read_text()


def test_a_federating_server(postgres, built, tmp_path):
    """A server whose name holds a port: ids, regexes and rooms are right."""
    synapse = Synapse.federating(tmp_path / "synapse", postgres, "setup_port").start()
    try:
        steward = Steward(tmp_path / "steward", synapse, [f"@alice:{synapse.server_name}"])
        steward.install()
        assert steward.registration["namespaces"]["users"][0]["regex"].endswith(f"localhost:{synapse.federation_port}$")
    finally:
        synapse.stop()
        postgres.drop("setup_port")
