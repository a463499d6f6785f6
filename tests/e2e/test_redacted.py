"""!clean-redacted on a real Synapse: a dump is free of the redacted words, what Synapse refused to redact keeps everything."""

import json
import secrets

import pytest

from support import impatient
from support.lines import SYNAPSES_OWN_NOTES
from support.process import wait_until


@pytest.fixture(scope="module")
def world(new_world):
    """Synapse censors at once and looks every half second."""
    return new_world(settings=impatient.SETTINGS).start()


class Words:
    """Words that stand nowhere else, by what they were written in."""

    def __init__(self):
        self.all = {}

    def __getitem__(self, name):
        return self.all.setdefault(name, f"zq{name}{secrets.token_hex(6)}")


def redact(world, user, room, event):
    return world.synapse.client("PUT", f"/rooms/{room}/redact/{event}/{secrets.token_hex(6)}", {}, user)["event_id"]


def wait_looked_at(world, *events):
    """Until Synapse has come to a verdict on the redactions of these events."""
    open_ones = "SELECT count(*) FROM redactions WHERE redacts = ANY (%s) AND NOT have_censored"
    wait_until(lambda: world.synapse.sql_value(open_ones, (list(events),)) == 0, 30, "Synapse's censoring", 0.2)


def found_in_search(world, user, word):
    answer = world.synapse.client("POST", "/search", {"search_categories": {"room_events": {"search_term": word}}}, user)
    return answer["search_categories"]["room_events"]["count"]


def search_rows(world, *events):
    return world.synapse.sql_value("SELECT count(*) FROM event_search WHERE event_id = ANY (%s)", (list(events),))


def in_dump(world, word):
    return word in world.postgres.whole_dump(world.synapse.database)


def test_a_dump_is_free_of_redacted_words(world):
    """Must show 3."""
    synapse, bob, carol = world.synapse, world.user("bob"), world.user("carol")
    words = Words()
    room = world.fill.room(bob, carol, name="Loose talk")
    edit = {"msgtype": "m.text", "body": "* " + words["edit"], "m.new_content": {"msgtype": "m.text", "body": words["edit"]}}
    gone = [synapse.send(bob, room, f"a message with {words['message']}"), synapse.send(carol, room, {"msgtype": "m.notice", "body": words["notice"]})]
    edit["m.relates_to"] = {"rel_type": "m.replace", "event_id": gone[0]}
    gone.append(synapse.send(bob, room, edit))
    gone.append(synapse.send(carol, room, {"m.relates_to": {"rel_type": "m.annotation", "event_id": gone[0], "key": words["reaction"]}}, "m.reaction"))
    for kind, key, name in (("m.room.topic", "topic", "topic"), ("m.room.name", "name", "name")):
        gone.append(synapse.set_state(bob, room, kind, {key: f"about {words[name]}"}))
        synapse.set_state(bob, room, kind, {key: "something else"})
    member = {"membership": "join", "displayname": words["displayname"], "avatar_url": f"mxc://hs.test/{words['avatar']}"}
    gone.append(synapse.set_state(carol, room, "m.room.member", member, carol.user_id))
    synapse.set_state(carol, room, "m.room.member", {"membership": "join", "displayname": "carol"}, carol.user_id)
    stays = synapse.send(bob, room, f"nobody redacts {words['living']}")
    gone_words = {name: word for name, word in words.all.items() if name != "living"}

    for event in gone:
        redact(world, bob, room, event)
    # What an old server, or a cleaning script, left in a column that Synapse reads no more.
    column = Words()
    synapse.sql("UPDATE events SET content = %s WHERE event_id = ANY (%s)", (json.dumps({"body": column["redacted"]}), gone[:2]))
    synapse.sql("UPDATE events SET content = %s WHERE event_id = %s", (json.dumps({"body": column["living"]}), stays))
    wait_looked_at(world, *gone)

    before = world.postgres.whole_dump(synapse.database)
    left = {name for name, word in gone_words.items() if word in before}
    assert left == {"message", "notice", "edit", "topic", "name", "displayname", "avatar"}, "else this test shows nothing"
    in_json = "SELECT count(*) FROM event_json WHERE json LIKE ANY (%s)"
    assert synapse.sql_value(in_json, ([f"%{word}%" for word in gone_words.values()],)) == 0, "Synapse itself has censored them"
    assert column["redacted"] in before

    card, job = world.carry_out("!clean-redacted")
    assert job["level"] == 3 and "event_search 5" in card.first_body and "old columns of events 2" in card.first_body
    assert "names in room_memberships 1" in card.first_body
    receipt = world.alice.wait_receipt(card.plan_number)
    assert "8 rows" in receipt and "counted again, no text" in receipt and "nothing grew" in receipt

    after = world.postgres.whole_dump(synapse.database)
    assert {name for name, word in gone_words.items() if word in after} == set()
    assert column["redacted"] not in after
    assert words["living"] in after and column["living"] in after
    assert search_rows(world, stays) == 1 and search_rows(world, *gone) == 0
    assert found_in_search(world, bob, words["living"]) == 1
    assert found_in_search(world, bob, words["message"]) == 0
    # The room works as before, for members and with its membership.
    names = synapse.client("GET", f"/rooms/{room}/joined_members", None, bob)["joined"]
    assert names[carol.user_id]["display_name"] == "carol"
    assert synapse.send(carol, room, "go on")
    answer = world.alice.ask("!clean-redacted", "Nothing to do", timeout=60)
    assert answer.plan_number is None


def forged_redaction(world, room, target, sender, recheck=True):
    """A redaction as another server's, written into the database with all that Synapse reads of it."""
    from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
    from synapse.events import make_event_from_dict

    synapse = world.synapse
    version = KNOWN_ROOM_VERSIONS[synapse.sql_value("SELECT room_version FROM rooms WHERE room_id = %s", (room,))]
    model = json.loads(synapse.sql_value("SELECT json FROM event_json WHERE event_id = %s", (target,)))
    model.update(type="m.room.redaction", sender=sender, content={"redacts": target}, redacts=target, hashes={"sha256": "x"})
    event = make_event_from_dict(model, version).event_id
    columns = [name for (name,) in synapse.sql(
        "SELECT column_name::text FROM information_schema.columns WHERE table_name = 'events' AND table_schema = 'public' AND is_generated = 'NEVER'"
        " AND column_name NOT IN ('event_id', 'stream_ordering', 'sender', 'type')"
    )]  # fmt: skip
    listed = ", ".join(columns)
    synapse.sql(
        f"INSERT INTO events (event_id, stream_ordering, sender, type, {listed})"
        f" SELECT %s, -nextval('events_backfill_stream_seq'), %s, 'm.room.redaction', {listed} FROM events WHERE event_id = %s",
        (event, sender, target),
    )
    synapse.sql(
        "INSERT INTO event_json (event_id, room_id, internal_metadata, json, format_version)"
        " SELECT %s, room_id, %s, %s, format_version FROM event_json WHERE event_id = %s",
        (event, json.dumps({"recheck_redaction": recheck}), json.dumps(model), target),
    )
    mark_redacted(world, event, target)
    return event


def mark_redacted(world, redaction, target):
    world.synapse.sql("INSERT INTO redactions (event_id, redacts, have_censored, received_ts) VALUES (%s, %s, false, 1)", (redaction, target))


def test_under_a_refused_redaction_everything_stays(world):
    """Another server's user, another room, an event nobody has: Synapse refuses, its mark is set all the same."""
    synapse, bob = world.synapse, world.user("bob")
    words = Words()
    room, other = world.fill.room(bob, name="Here"), world.fill.room(bob, name="There")
    foreign, elsewhere, unknown = (synapse.send(bob, room, words[name]) for name in ("foreign", "elsewhere", "unknown"))
    truly = synapse.send(bob, room, words["truly"])
    forged_redaction(world, room, foreign, "@mallory:evil.test")
    mark_redacted(world, synapse.send(bob, other, "no redaction at all"), elsewhere)
    mark_redacted(world, "$never-seen", unknown)
    redact(world, bob, room, truly)
    wait_looked_at(world, foreign, elsewhere, unknown, truly)
    kept = [foreign, elsewhere, unknown]
    texts = synapse.sql("SELECT event_id, json FROM event_json WHERE event_id = ANY (%s) ORDER BY 1", (kept,))
    assert all(any(word in text for word in words.all.values()) for _, text in texts), "Synapse refused all three"

    card = world.alice.plan("!clean-redacted")
    assert "Not touched: 3 events" in card.first_body
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "done")
    assert search_rows(world, truly) == 0 and search_rows(world, *kept) == 3
    assert synapse.sql("SELECT event_id, json FROM event_json WHERE event_id = ANY (%s) ORDER BY 1", (kept,)) == texts
    for name in ("foreign", "elsewhere", "unknown"):
        assert found_in_search(world, bob, words[name]) == 1
    assert not in_dump(world, words["truly"])


def test_what_sql_cannot_cast(world):
    """NUL and lone surrogates are legal in Synapse's JSON; neither stops the command nor loses its message."""
    synapse, bob = world.synapse, world.user("bob")
    room = world.fill.room(bob, name="Strange characters")
    nul = synapse.send(bob, room, "zqnul\u0000word")
    surrogate = synapse.send(bob, room, "zqlone")  # as servers before 1.163 took it; this one answers 500
    synapse.sql("UPDATE event_json SET json = replace(json, 'zqlone', 'zqlone \\ud800') WHERE event_id = %s", (surrogate,))
    redacted = synapse.send(bob, room, "zqplain")
    for event in (nul, surrogate):
        mark_redacted(world, synapse.send(bob, world.fill.room(bob), "elsewhere"), event)
    redact(world, bob, room, redacted)
    wait_looked_at(world, nul, surrogate, redacted)
    world.carry_out("!clean-redacted")
    assert search_rows(world, nul, surrogate) == 2
    assert search_rows(world, redacted) == 0


def test_by_room(world):
    synapse, bob = world.synapse, world.user("bob")
    here, there = world.fill.room(bob, name="Here"), world.fill.room(bob, name="There")
    events = {room: synapse.send(bob, room, "zqroom") for room in (here, there)}
    for room, event in events.items():
        redact(world, bob, room, event)
    wait_looked_at(world, *events.values())
    world.carry_out(f"!clean-redacted --room {here}")
    assert search_rows(world, events[here]) == 0 and search_rows(world, events[there]) == 1
    answer = world.alice.ask("!clean-redacted --older 1h", "Nothing to do", timeout=60)
    assert answer.plan_number is None
    world.carry_out("!clean-redacted")
    assert search_rows(world, events[there]) == 0


def test_what_is_not_censored_any_more_is_kept_and_named(world):
    """Purged and fetched anew between plan and confirmation: its text is there again, so it is not the plan's event any more."""
    synapse, bob = world.synapse, world.user("bob")
    room = world.fill.room(bob, name="Anew")
    back, gone = synapse.send(bob, room, "zqback"), synapse.send(bob, room, "zqgone")
    whole = synapse.sql_value("SELECT json FROM event_json WHERE event_id = %s", (back,))
    for event in (back, gone):
        redact(world, bob, room, event)
    wait_looked_at(world, back, gone)
    card = world.alice.plan("!clean-redacted")
    synapse.sql("UPDATE event_json SET json = %s WHERE event_id = %s", (whole, back))
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "done")
    assert search_rows(world, back) == 1 and search_rows(world, gone) == 0
    assert "Kept: 1 event" in world.alice.wait_receipt(card.plan_number)
    assert back in synapse.sql_value("SELECT string_agg(line, chr(10)) FROM steward.job_log WHERE job = %s", (card.plan_number,))


def big_room(world, count):
    """`count` redacted and censored messages with their search rows, and as many living ones, by SQL."""
    synapse, bob = world.synapse, world.user("bob")
    room = world.fill.room(bob, name="Many")
    event = synapse.send(bob, room, "zqmany")
    columns = [name for (name,) in synapse.sql(
        "SELECT column_name::text FROM information_schema.columns WHERE table_name = 'events' AND table_schema = 'public' AND is_generated = 'NEVER'"
        " AND column_name NOT IN ('event_id', 'stream_ordering')"
    )]  # fmt: skip
    listed = ", ".join(columns)
    synapse.sql(
        f"INSERT INTO events (event_id, stream_ordering, {listed}) SELECT kind || n, -nextval('events_backfill_stream_seq'), {listed}"
        " FROM events, generate_series(1, %s) n, unnest(ARRAY['$zqgone', '$zqlive']) kind WHERE event_id = %s", (count, event)
    )  # fmt: skip
    synapse.sql(
        "INSERT INTO event_json (event_id, room_id, internal_metadata, json, format_version)"
        " SELECT e.event_id, e.room_id, '{}', CASE WHEN e.event_id LIKE '$zqgone%%' THEN '{\"type\":\"m.room.message\",\"content\":{}}' ELSE j.json END, 3"
        " FROM events e, event_json j WHERE (e.event_id LIKE '$zqgone%%' OR e.event_id LIKE '$zqlive%%') AND j.event_id = %s", (event,)
    )  # fmt: skip
    synapse.sql(
        "INSERT INTO event_search (event_id, room_id, key, vector) SELECT event_id, room_id, 'content.body', to_tsvector('zqmany')"
        " FROM events WHERE event_id LIKE '$zqgone%' OR event_id LIKE '$zqlive%'"
    )
    synapse.sql(
        "INSERT INTO redactions (event_id, redacts, have_censored, received_ts) SELECT '$zqby' || n, '$zqgone' || n, true, 1 FROM generate_series(1, %s) n",
        (count,),
    )
    return room


def test_kill_in_the_middle_and_a_dry_run_before(world):
    """The journal's items are the plan's; a second life takes the rest, nothing is counted twice."""
    synapse, steward = world.synapse, world.steward
    room = big_room(world, 4000)
    gone, living = ("SELECT count(*) FROM event_search WHERE event_id LIKE '$zq" + kind + "%%'" for kind in ("gone", "live"))

    steward.stop()
    # Synapse itself censors what the tests before redacted.
    wait_until(lambda: synapse.sql("SELECT count(*) FROM redactions WHERE NOT have_censored") == [(0,)], 60, "Synapse to have censored")
    before = world.postgres.contents(synapse.database)
    dry = steward.exec(f"clean-redacted --room {room} --dry-run", check=True).stdout
    assert "4\u202f000 rows" in dry
    changed = {table for table, rows in world.postgres.contents(synapse.database).items() if rows != before[table]}
    assert changed <= SYNAPSES_OWN_NOTES, "a dry run changes nothing in the whole database"
    steward.start()

    card = world.alice.plan(f"!clean-redacted --room {room}")
    assert len(world.items(card.plan_number)) == 20
    with world.postgres.connect(synapse.database) as holder, holder.cursor() as cursor:
        holder.autocommit = False
        cursor.execute("SELECT 1 FROM event_search WHERE event_id = '$zqgone999' FOR UPDATE")  # of the last part, which so cannot end
        world.alice.confirm(card)
        wait_until(lambda: "done" in world.items(card.plan_number).values(), 60, "the first part", 0.02)
        steward.kill()
        left = synapse.sql_value(gone)
    steward.start()
    world.wait_job(card.plan_number, "done", timeout=60)
    assert 0 < left < 4000
    assert synapse.sql_value(gone) == 0 and synapse.sql_value(living) == 4000
    assert world.alice.wait_receipt(card.plan_number)
    assert synapse.sql_value("SELECT sum(rows) FROM steward.job_item WHERE job = %s", (card.plan_number,)) == 4000


def test_waiting_and_overdue_are_told(new_world):
    """A server that never censors: nothing to do for the bot, and it says why."""
    world = new_world(settings={"redaction_retention_period": None}).start()
    synapse, bob = world.synapse, world.user("bob")
    room = world.fill.room(bob, name="Never")
    events = [synapse.send(bob, room, "zqnever") for _ in range(2)]
    for event in events:
        redact(world, bob, room, event)
    answer = world.alice.ask("!clean-redacted --dry-run", "event_json", timeout=60)
    assert "Waiting: the text of 2 redacted events" in answer and "100 every 5 minutes" in answer and "Overdue" not in answer
    synapse.sql("UPDATE redactions SET received_ts = received_ts - 30 * 86400000::bigint WHERE redacts = %s", (events[0],))
    answer = world.alice.ask("!clean-redacted", "event_json", timeout=60)
    assert "Overdue: 1 of them" in answer and "null" in answer and answer.plan_number is None
    assert search_rows(world, *events) == 2
