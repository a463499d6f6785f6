"""What an admin types on a phone and what the bot makes of it: dashes, mentions, edits, replies, typing errors, silence."""

import json

import pytest

from support.process import wait_until

SILENT = {
    "a notice of another bot": dict(text="!purge-media 30d", msgtype="m.notice"),
    "an emote": dict(text="!help", msgtype="m.emote"),
    "a caption": dict(text="!help", msgtype="m.image", url="mxc://hs.test/none"),
    "a room id alone": dict(text="!8UkqMnym0typt3OyYm1_JG3hCd1-xf_Or1oiXLsMhNo"),
    "chat": dict(text="did you see the match?"),
    "an unknown word far from any command": dict(text="!frobnicate"),
    "a plain yes without a plan": dict(text="yes"),
}


def test_welcome_and_room(world):
    """The bot made the room: private, not federated, closed, with a welcome card that is pinned."""
    room = world.room
    wait_until(
        lambda: world.synapse.sql("SELECT 1 FROM current_state_events WHERE room_id = %s AND type = 'm.room.pinned_events'", (room,)),
        30, "the welcome to be pinned",
    )  # fmt: skip
    state = {
        (event["type"], event["state_key"]): event["content"]
        for event in world.synapse.client("GET", f"/rooms/{room}/state", token=world.user("alice"))
    }
    assert state["m.room.join_rules", ""]["join_rule"] == "invite"
    assert state["m.room.create", ""].get("m.federate") is False
    assert state["m.room.history_visibility", ""]["history_visibility"] == "shared"
    assert state["m.room.guest_access", ""]["guest_access"] == "forbidden"
    assert ("m.room.encryption", "") not in state
    assert state["m.room.power_levels", ""]["invite"] > 0
    assert state["m.room.member", "@bob:hs.test"]["membership"] == "invite"
    pinned = state["m.room.pinned_events", ""]["pinned"]
    assert pinned and world.alice.messages[pinned[0]].sender == world.steward.user_id


def test_help_leads_to_every_command(world):
    """One screen of a phone with the groups; a group or a command on request, none is out of reach."""
    answer = world.alice.ask("!help")
    assert answer.msgtype == "m.notice" and not answer.rings
    for name in ("purge-media", "clean-rooms", "status"):
        assert name in answer
    assert len(answer.body.splitlines()) <= 40
    by_group = {}
    for command in json.loads(world.steward.command("commands", "--json").stdout):
        by_group.setdefault(command["group"], []).append(command["name"])
    for group, names in by_group.items():
        assert group in answer.body.lower(), f"!help does not lead to {group}"
        listed = world.alice.ask(f"!help {group}").body
        assert not [name for name in names if name not in listed], f"!help {group} leaves out commands"


@pytest.mark.parametrize("command", ["purge-media", "clean-rooms", "status", "cancel"])
def test_help_of_a_command(world, command):
    answer = world.alice.ask(f"!help {command}")
    assert command in answer


def test_status_shows_the_server(world):
    answer = world.alice.ask("!status", timeout=60)
    version = world.synapse.request("GET", "/_synapse/admin/v1/server_version")["server_version"].split(" ")[0]
    assert version in answer


@pytest.mark.parametrize("command", ["!version", "!ping", "!whoami", "!settings", "!audit", "!jobs", "!media-usage", "!list-rooms"])
def test_reads_answer(world, command):
    answer = world.alice.ask(command, timeout=60)
    assert answer.body.strip()
    world.alice.wait_reaction(world.alice.conversation[answer.position - 1], "✅", timeout=15)


def test_whoami_names_the_role(world):
    assert "admin" in world.alice.ask("!whoami")


TYPED = {
    "capital letter": "!Help",
    "full-width mark": "！help",
    "no-break space": "!help\u00a0status",
    "escaped by an editor": "\\!help",
    "space after the mark": "! help",
    "code ticks": "`!help`",
    "two words": "!media purge 30d -n",
    "underscore": "!purge_media 30d --dry-run",
    "alias": "!h",
    "quotes": "!purge-media “30d” --dry-run",
    "plain word flag": "!purge-media 30d dry",
    "separated unit": "!purge-media 30 d --dry-run",
    "reply fallback": "> <@bob:hs.test> what can it do?\n\n!help",
}


@pytest.mark.parametrize("case", TYPED)
def test_typing_of_phones_is_understood(world, case):
    answer = world.alice.ask(TYPED[case], timeout=60)
    for word in ("not understood", "unknown", "expected", "did you mean"):
        assert word not in answer


@pytest.mark.parametrize("case", SILENT)
def test_silence(world, case):
    how = dict(SILENT[case])
    event = world.alice.send(how.pop("text"), **how)
    assert world.alice.stays_silent(event, 1.5) == []


@pytest.mark.parametrize("dash", ["—dry-run", "–dry-run", "−−dry-run", "——dry-run", "‐‐dry-run", "-n", "--dry-run"])
def test_every_dash_of_a_phone_is_a_dry_run(world, dash):
    """Must show 3: an em dash is a dry run, never a run."""
    if not hasattr(world, "dead"):  # without a room to clean a run would plan nothing either
        world.dead = world.fill.dead_room(world.user("carol"), name="Empty")
    jobs = len(world.jobs())
    answer = world.alice.ask(f"!clean-rooms {dash}", "dry run", timeout=60)
    assert answer.plan_number is None and len(world.jobs()) == jobs


def test_an_unknown_dash_stops_the_command(world):
    answer = world.alice.ask("!clean-rooms ⸺dry-run")
    assert "2E3A" in answer and answer.plan_number is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("!clean-rooms dryrun", ["dry-run"]),
        ("!clean-rooms --dryrun", ["--dry-run"]),
        ("!clean-rooms --dry-run --dry-run", ["dry-run"]),
        ("!clean-rooms --dry-run 30d", ["30d"]),
        ("!purge-media", ["age"]),
        ("!purge-media 30", ["30d"]),
        ("!purge-media 30m", []),
        ("!purge-media 0d", []),
        ("!purge-media -5d", []),
        ("!purge-media 99999999999d", []),
        ("!purge-media 1767225600000", []),
        ("!purge-media 30d --min-size banana", ["banana"]),
        ("!purge-media 30d --locla", ["--local"]),
        ("!purge-media 30d --remote --user @bob:hs.test", []),
        ("!room", ["room"]),
        ("!purge-media 30d extra", ["extra"]),
        ("!help\n!status", []),
    ],
)
def test_what_is_not_understood_stops(world, line, expected):
    """Every word must be understood: else an answer that names it, and nothing is planned."""
    jobs = len(world.jobs())
    answer = world.alice.ask(line)
    assert answer.plan_number is None
    for words in expected:
        assert words in answer, answer.body
    assert len(world.jobs()) == jobs


def test_dryrun_names_the_nearest_match(world):
    answer = world.alice.ask("!clean-rooms dryrun")
    assert "--dry-run" in answer


def test_an_arabic_number_is_read_or_refused(world):
    answer = world.alice.ask("!purge-media ٣٠d")
    assert answer.plan_number is None


def test_nearly_a_command(world):
    answer = world.alice.ask("!clean-roms")
    assert "clean-rooms" in answer and answer.plan_number is None


def test_mention_without_mark(world):
    event = world.alice.mention("help")
    assert "purge-media" in world.alice.wait_message(after=event)


@pytest.mark.parametrize("text", ["steward: help", "@steward:hs.test help", "[steward](https://matrix.to/#/@steward:hs.test): help"])
def test_mention_in_plain_text(world, text):
    event = world.alice.send(text)
    assert "purge-media" in world.alice.wait_message(after=event)


def test_mention_of_somebody_else(world):
    event = world.alice.send("stewardess: help")
    assert world.alice.stays_silent(event, 1.5) == []


def test_edit_into_a_command_does_not_run(world):
    event = world.alice.send("good morning")
    edit = world.alice.edit(event, "!help")
    assert not [message for message in world.alice.stays_silent(event, 2) if "purge-media" in message]
    assert edit


def test_a_command_in_a_thread_is_answered_there(world):
    root = world.alice.send("let us look at the server")
    event = world.alice.send("!whoami", thread=root)
    answer = world.alice.wait_message(after=event)
    assert answer.thread == root


def test_a_reply_to_a_chat_line_runs(world):
    root = world.alice.send("what about this?")
    event = world.alice.send("!whoami", reply_to=root)
    assert "admin" in world.alice.wait_message(after=event)


def test_hostile_names_are_shown_harmless(world):
    """A room's name is anybody's text: escaped, without direction marks, no mention."""
    name = "</code><a href=\"https://evil.example\">x</a>\u202egnp.exe @alice:hs.test"
    room = world.synapse.create_room(world.user("carol"), name=name)
    answer = world.alice.ask(f"!room {room}")
    assert "\u202e" not in answer.body + answer.html
    assert "<a href=\"https://evil" not in answer.html
    assert not answer.mentions


@pytest.mark.parametrize("form", ["{room}", "[room](https://matrix.to/#/{quoted}?via=hs.test)", "https://matrix.to/#/{quoted}?via=hs.test", "{alias}"])
def test_room_arguments(world, form):
    from urllib.parse import quote

    alias = f"room-{abs(hash(form)) % 10**6}"
    room = world.synapse.create_room(world.user("carol"), name="Argument", room_alias_name=alias)
    text = form.format(room=room, quoted=quote(room, safe=""), alias=f"#{alias}:hs.test")
    assert "Argument" in world.alice.ask(f"!room {text}")


def test_a_huge_line_is_answered_shortly(world):
    answer = world.alice.ask("!room " + "x" * 60_000, timeout=60)
    assert len(answer.body) < 4000


def test_two_commands_in_two_lines_are_refused(world):
    answer = world.alice.ask("!purge-media 30d\n!clean-rooms")
    assert answer.plan_number is None


def test_many_commands_keep_their_order(world):
    first = world.alice.send("!whoami")
    for _ in range(4):
        world.alice.send("!whoami")
    world.alice.wait_for(lambda: len(world.alice.bot_messages(first)) >= 5, 30, "five answers")


def test_answers_use_only_what_phones_show(world):
    """facts: Element X keeps few tags; nothing else may stand in any body of this module's conversation."""
    import re

    allowed = set("a b strong i em u del code ul ol li pre blockquote p br".split())
    for message in world.alice.conversation:
        if message.sender == world.steward.user_id and message.html:
            used = {tag.lower() for tag in re.findall(r"</?([a-zA-Z0-9-]+)", message.html)}
            assert used <= allowed, (used - allowed, message.html[:300])
