"""!check-orphans and !clean-orphans on real servers: a database that an old clean-up script went over is repaired, so that its lost
room can be joined again; a healthy one has no orphans and is not changed."""

import hashlib
import re

import pytest

from support.client import Admin
from support.fill import DAY, Filler, now_ms
from support.process import wait_until
from support.steward import Steward
from support.synapse import ON_OLDEST, ApiError, Synapse

# The script's statements in an order that today's foreign keys allow: what it deletes by room, and what it must to get through.
SCRIPT_TABLES = (
    "event_forward_extremities", "event_backward_extremities", "room_depth", "current_state_events", "room_memberships",
    "local_current_membership", "sliding_sync_membership_snapshots", "sliding_sync_joined_rooms", "destination_rooms",
    "event_failed_pull_attempts", "events", "event_json", "state_events", "rooms", "room_aliases", "state_groups", "state_groups_state",
    "receipts_graph", "receipts_linearized", "room_tags", "room_tags_revisions", "room_account_data", "event_push_actions",
    "pusher_throttle", "event_reports", "stream_ordering_to_exterm", "event_auth", "appservice_room_list",
)  # fmt: skip


def run_script(synapse, room):
    """What the wiki's script leaves of a room once it is patched until it runs."""
    with synapse.postgres.connect(synapse.database) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM event_edges WHERE event_id IN (SELECT event_id FROM events WHERE room_id = %s)", (room,))
        for table in SCRIPT_TABLES:
            cursor.execute("SELECT to_regclass(%s)", (table,))
            if cursor.fetchone() == (None,):
                continue  # came with a later Synapse
            cursor.execute(f"DELETE FROM {table} WHERE room_id = %s", (room,))


def contents(synapse):
    """{table: digest of its rows} of all of Synapse's tables."""
    tables = [name for (name,) in synapse.sql("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")]
    digests = {}
    for table in tables:
        rows = synapse.sql(f'SELECT x::text FROM "{table}" x ORDER BY 1')
        digests[table] = (len(rows), hashlib.sha256("\n".join(row for (row,) in rows).encode()).hexdigest())
    return digests


@pytest.fixture(scope="module")
def servers(postgres, built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("orphans")
    here = Synapse.federating(folder / "here", postgres, "orphans_here")
    there = Synapse.federating(folder / "there", postgres, "orphans_there")
    steward = Steward(folder / "steward", here, [f"@alice:{here.server_name}"])
    here.start()
    there.start()
    for name in ("alice", "bob", "carol"):
        here.register(name)
    there.register("remote")
    here.wait_background_updates()
    filler = Filler(here)
    filler.copy_rooms(filler.room(here.users["carol"], here.users["bob"], name="Living", messages=3), 10)
    steward.install()
    steward.start()
    admin = Admin(here, here.users["alice"], steward.user_id).connect()
    admin.join_admin_room(60)
    here.sql("ANALYZE")
    yield here, there, steward, admin
    admin.close()
    steward.stop()
    here.stop()
    there.stop()
    for database in ("orphans_here", "orphans_there"):
        postgres.drop(database)


def carry_out(here, admin, line):
    card = admin.plan(line, timeout=60)
    admin.confirm(card)
    states = lambda: here.sql("SELECT state FROM steward.job WHERE number = %s", (card.plan_number,))[0][0]  # noqa: E731
    wait_until(lambda: states() in ("done", "failed", "stopped"), 120, "the job")
    assert states() == "done", here.sql("SELECT target, state, error FROM steward.job_item WHERE job = %s", (card.plan_number,))
    return card, admin.wait_receipt(card.plan_number)


def orphans_of(here, room):
    return here.sql_value("SELECT count(*) FROM event_search x WHERE room_id = %s AND NOT EXISTS (SELECT FROM events e WHERE e.event_id = x.event_id)", (room,))


def clean_stopped(here, steward):
    """`steward exec clean-orphans` with Synapse stopped: {kind: rows that went}; the tables of other kinds are not touched."""
    here.stop()
    steward.stop()
    before = contents(here)
    dry = steward.exec("clean-orphans --dry-run")
    assert "cannot start before the end" in dry.stdout and contents(here) == before, dry.stdout
    # Planned while Synapse was stopped, confirmed when it runs again.
    card = steward.exec("clean-orphans")
    here.start()
    refused = steward.exec(re.search(r"yes \d+ \d+", card.stdout)[0])
    assert refused.returncode != 0 and "Somebody is connected" in refused.stdout, refused.stdout + refused.stderr
    assert here.sql_value("SELECT sum(done_rows) FROM steward.job_item WHERE job = (SELECT max(number) FROM steward.job)") == 0
    here.stop()
    before = contents(here)
    done = steward.exec("clean-orphans", "--yes")
    assert done.returncode == 0 and "none of the planned rows is left" in done.stdout and "nothing grew" in done.stdout, done.stdout + done.stderr
    gone = dict(here.sql("SELECT target, done_rows FROM steward.job_item WHERE job = (SELECT max(number) FROM steward.job)"))
    after = contents(here)
    lost = {table: rows - after[table][0] for table, (rows, _) in before.items() if after[table] != before[table]}
    assert lost == gone, "row for row what was planned, and no other table changed"
    assert "No orphans to clean" in steward.exec("clean-orphans").stdout
    here.start()
    steward.start()
    return gone


def test_a_room_lost_to_the_script_can_be_joined_again(servers):
    """The room is lost, joining it fails with 500, the check says so, the repair lets it be joined, a second run finds nothing."""
    here, there, steward, admin = servers
    remote, bob, carol = there.users["remote"], here.users["bob"], here.users["carol"]
    room = there.create_room(remote, preset="public_chat", name="Far room", room_alias_name="lost")
    for number in range(12):
        there.send(remote, room, f"words {number}")

    def join():
        here.join(bob, f"#lost:{there.server_name}", via=there.server_name)
        return here.client("GET", f"/rooms/{room}/messages", token=bob, dir="b", limit=50)["chunk"]

    wait_until(lambda: len(join()) >= 12, 60, "the history over federation", 1)
    for number in range(3):
        here.send(bob, room, f"answer {number}")
    here.leave(bob, room)
    local = Filler(here).room(bob, carol, name="Local", messages=4)
    root = here.send(bob, local, "a thread")
    here.send(carol, local, {"msgtype": "m.text", "body": "in it", "m.relates_to": {"rel_type": "m.thread", "event_id": root}})
    wait_until(lambda: here.sql_value("SELECT count(*) FROM room_stats_current WHERE room_id = %s", (local,)), 30, "the statistics", 0.5)
    for user in (bob, carol):
        here.leave(user, local)
    # A later room whose state groups are in use; all of it more than the hour ago that the bot asks for.
    Filler(here).room(carol, name="Later")
    here.sql("UPDATE events SET received_ts = %s", (now_ms() - DAY,))
    living = here.sql("SELECT room_id, count(*) FROM events WHERE room_id <> ALL(%s) GROUP BY 1 ORDER BY 1", ([room, local, admin.room],))

    here.stop()
    for lost in (room, local):
        run_script(here, lost)
    here.start()
    assert orphans_of(here, room) > 10
    with pytest.raises(ApiError) as refused:
        join()
    assert refused.value.status == 500

    answer = admin.ask("!check-orphans", "Orphans", timeout=90)
    for word in ("event_search", "cannot be joined again", "state_group_edges", "event_to_state_groups", "room_stats_current", "threads",
                 "event_auth_chains", "only with Synapse stopped"):  # fmt: skip
        assert word in answer, f"{word} is missing in:\n{answer.body}"
    assert "≥" not in answer.body

    before = contents(here)
    dry = admin.ask("!clean-orphans --dry-run", "belong to nothing", timeout=90)
    assert dry.plan_number is None and "event_search" in dry
    card, receipt = carry_out(here, admin, "!clean-orphans")
    planned = dict(here.sql("SELECT target, rows FROM steward.job_item WHERE job = %s", (card.plan_number,)))
    done = dict(here.sql("SELECT target, done_rows FROM steward.job_item WHERE job = %s", (card.plan_number,)))
    assert planned == done
    assert {"event_search", "event_to_state_groups", "state_group_edges", "event_relations", "room_stats_current", "room_stats_state", "threads"} <= set(planned)
    assert "none of the planned rows is left" in receipt and "nothing grew" in receipt
    # Other tables lost no row, the planned ones what was planned; the living rooms have all their events.
    after = contents(here)
    for table, (rows, _) in before.items():
        if table != "application_services_txns":  # Synapse's own queue for the bot
            assert after[table][0] >= rows - planned.get(table, 0), table
    assert here.sql("SELECT room_id, count(*) FROM events WHERE room_id = ANY(%s) GROUP BY 1 ORDER BY 1", ([known for known, _ in living],)) == living

    again = admin.ask("!clean-orphans --dry-run", "No orphans", timeout=90)
    assert again.plan_number is None
    assert "only with Synapse stopped" in again and "event_auth_chains" in again
    if ON_OLDEST:  # it stumbles over the auth chains
        assert "event_auth_chains" in clean_stopped(here, steward)
    chunk = wait_until(lambda: len(join()) >= 12 and join(), 60, "the room to be joined again", 1)
    bodies = {event["content"].get("body") for event in chunk}
    assert {f"words {number}" for number in range(12)} <= bodies
    here.join(carol, f"#lost:{there.server_name}", via=there.server_name)
    assert here.send(carol, room, "back")
    found = admin.ask("!clean-orphans --dry-run", "No orphans", timeout=90)
    assert found.plan_number is None
    if not ON_OLDEST:
        assert "event_auth_chains" in clean_stopped(here, steward)
        assert here.send(bob, room, "words after the rest is gone")
    assert "event_auth_chains" not in admin.ask("!check-orphans", "No orphans", timeout=90)


def test_what_synapses_own_purge_leaves_is_found(servers):
    """A room with a retention rule and labelled messages, deleted by the API: joining fails until the orphans are gone."""
    here, there, _, admin = servers
    remote, bob = there.users["remote"], here.users["bob"]
    room = there.create_room(remote, preset="public_chat", name="Kept a year", room_alias_name="year")
    there.set_state(remote, room, "m.room.retention", {"max_lifetime": 365 * DAY})
    there.send(remote, room, {"msgtype": "m.text", "body": "labelled", "org.matrix.labels": ["#work"]})
    here.join(bob, f"#year:{there.server_name}", via=there.server_name)
    wait_until(lambda: here.sql_value("SELECT count(*) FROM room_retention WHERE room_id = %s", (room,)), 30, "the rule", 0.5)
    here.leave(bob, room)
    here.delete_room(room)
    with pytest.raises(ApiError):
        here.join(bob, f"#year:{there.server_name}", via=there.server_name)
    answer = admin.ask("!check-orphans", "Orphans", timeout=90)
    assert "room_retention" in answer
    carry_out(here, admin, "!clean-orphans")
    here.join(bob, f"#year:{there.server_name}", via=there.server_name)


def test_a_healthy_database_has_none_and_is_not_changed(new_world):
    """Rooms of all kinds, media, devices, receipts; then the same look at every table before and after."""
    world = new_world().start()
    synapse, fill = world.synapse, world.fill
    bob, carol, dave = (world.user(name) for name in ("bob", "carol", "dave"))
    room = fill.room(bob, carol, name="Talk", messages=4)
    first = synapse.send(bob, room, "a thread")
    synapse.send(carol, room, {"msgtype": "m.text", "body": "in it", "m.relates_to": {"rel_type": "m.thread", "event_id": first}})
    synapse.client("PUT", f"/rooms/{room}/redact/{first}/t1", {}, bob)
    synapse.client("POST", f"/rooms/{room}/receipt/m.read/{first}", {}, carol)
    synapse.client("PUT", f"/user/{carol.user_id}/rooms/{room}/tags/m.favourite", {"order": 0.5}, carol)
    fill.copy_rooms(room, 5)
    fill.dead_room(bob, carol, name="Left", room_alias_name="left-alias")
    invited = fill.room(bob, name="Invitation")
    synapse.invite(bob, invited, dave)
    fill.media(bob, 3)
    fill.remote_media(count=2)
    synapse.client("POST", f"/user/{bob.user_id}/openid/request_token", {}, bob)
    synapse.request("POST", "/_matrix/media/v1/create", {}, carol.token)
    phone = synapse.login("dave")
    synapse.client("PUT", "/sendToDevice/m.test/t1", {"messages": {dave.user_id: {"*": {"hello": 1}}}}, bob)
    synapse.client("POST", "/logout", {}, phone)
    synapse.sql("ANALYZE")
    answer = world.alice.ask("!check-orphans", "No orphans", timeout=90)
    assert "≥" not in answer.body
    answer = world.alice.ask("!clean-orphans", "No orphans", timeout=90)
    assert answer.plan_number is None

    # With Synapse and the bot stopped nobody else writes: then the whole database is the same afterwards.
    world.steward.stop()
    synapse.stop()
    before = contents(synapse)
    for line in ("check-orphans", "clean-orphans"):
        told = world.steward.exec(line)
        assert "No orphans" in told.stdout, told.stdout + told.stderr
    assert contents(synapse) == before


@pytest.mark.parametrize(
    "break_it, mend_it, words",
    [
        ("INSERT INTO background_updates (update_name, progress_json) VALUES ('a_pending_update', '{}')",
         "DELETE FROM background_updates WHERE update_name = 'a_pending_update'", ("a_pending_update",)),
        ("ALTER TABLE state_group_edges RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO state_group_edges", ("state tables", "another database")),
        ("UPDATE schema_version SET version = 999; UPDATE schema_compat_version SET compat_version = 999",
         "UPDATE schema_version SET version = (SELECT max(version) FROM applied_schema_deltas); UPDATE schema_compat_version SET compat_version = 84",
         ("999", "newer than the bot")),
        ("CREATE TABLE unknown_to_the_bot (event_id text REFERENCES events (event_id))", "DROP TABLE unknown_to_the_bot", ("unknown_to_the_bot",)),
        ("UPDATE pg_class SET reltuples = -1 WHERE relname = 'event_json'", "ANALYZE event_json", ("never analysed", "!analyze")),
    ],
    ids=["background update", "split state database", "future schema", "unknown table", "never analysed"],
)  # fmt: skip
def test_refused_by_name(servers, break_it, mend_it, words):
    here, _, _, admin = servers
    here.sql(break_it)
    try:
        answer = admin.ask("!clean-orphans", words[0], timeout=60)
        assert answer.plan_number is None
        for word in words:
            assert word in answer
    finally:
        here.sql(mend_it)
