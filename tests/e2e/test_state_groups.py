"""!check-state-groups and !clean-state-groups on a real Synapse: exactly the unused groups go, Synapse itself deletes them."""

import threading
import time

import pytest

from support import impatient
from support.lines import SYNAPSES_OWN_NOTES
from support.process import wait_until
from support.synapse import ON_OLDEST

pytestmark = pytest.mark.skipif(ON_OLDEST, reason="refused there by name: schema 84 knows no deletion of unused state groups")

UPDATE = "mark_unreferenced_state_groups_for_deletion_bg_update"


@pytest.fixture(scope="module")
def world(new_world):
    """Synapse looks for marked groups every half second; the ten minutes are its own, and backdated by the tests."""
    return new_world(settings=impatient.SETTINGS).start()


class Groups:
    """State groups as servers from before 1.128 keep them, each with `rows` rows of state, by SQL."""

    def __init__(self, world, rows=3):
        self.world, self.rows = world, rows
        self.room = world.fill.room(world.user("bob"), name="Groups", messages=2)
        self.used = world.synapse.sql_value(
            "SELECT max(state_group) FROM event_to_state_groups JOIN events USING (event_id) WHERE room_id = %s", (self.room,)
        )

    def add(self, built_on=None):
        sql = self.world.synapse.sql
        group = self.world.synapse.sql_value("SELECT nextval('state_group_id_seq')")
        sql("INSERT INTO state_groups (id, room_id, event_id) VALUES (%s, %s, %s)", (group, self.room, f"$nothing{group}"))
        if built_on:
            sql("INSERT INTO state_group_edges (state_group, prev_state_group) VALUES (%s, %s)", (group, built_on))
        sql(
            "INSERT INTO state_groups_state (state_group, room_id, type, state_key, event_id)"
            " SELECT %s, %s, 'org.example', n::text, '$e' FROM generate_series(1, %s) n", (group, self.room, self.rows)
        )  # fmt: skip
        return group

    def chain(self, length, built_on=None):
        made = []
        for _ in range(length):
            made.append(self.add(made[-1] if made else built_on))
        return made

    def use(self, group):
        """A real event of the room gets this state."""
        event = self.world.synapse.send(self.world.user("bob"), self.room, "uses it")
        self.world.synapse.sql("UPDATE event_to_state_groups SET state_group = %s WHERE event_id = %s", (group, event))


def there(world, groups):
    return {group for (group,) in world.synapse.sql("SELECT id FROM state_groups WHERE id = ANY (%s)", (list(groups),))}


def marked(world):
    return {group for (group,) in world.synapse.sql("SELECT state_group FROM state_groups_pending_deletion")}


def let_ten_minutes_pass(world):
    world.synapse.sql("UPDATE state_groups_pending_deletion SET insertion_ts = insertion_ts - 601000")


def traces(world, groups):
    """Rows that name these groups anywhere."""
    count = world.synapse.sql_value
    ids = (list(groups),)
    return (
        count("SELECT count(*) FROM state_groups_state WHERE state_group = ANY (%s)", ids)
        + count("SELECT count(*) FROM state_group_edges WHERE state_group = ANY (%s)", ids)
        + count("SELECT count(*) FROM state_groups_pending_deletion WHERE state_group = ANY (%s)", ids)
    )


def state_checksum(world, but):
    return world.synapse.sql_value(
        "SELECT md5(string_agg(s::text, chr(10) ORDER BY s::text)) FROM state_groups_state s WHERE NOT state_group = ANY (%s)", (list(but),)
    )


def refused(world, *words):
    answer = world.alice.ask("!clean-state-groups", timeout=60)
    assert answer.plan_number is None
    for word in words:
        assert word in answer, answer.body


def wait_marked(world, groups):
    wait_until(lambda: set(groups) <= marked(world), 60, "Synapse's marks", 0.1)


def test_exactly_the_unused_go(world):
    """The table of cases: a free chain, a chain on a used group, an unused group under a used one."""
    groups = Groups(world)
    free, on_used = groups.chain(3), groups.chain(2, built_on=groups.used)
    needed = groups.add()
    used = groups.add(built_on=needed)
    groups.use(used)
    unused = {*free, *on_used}

    check = world.alice.ask("!check-state-groups", "State groups", timeout=60)
    assert "5 state groups, with 15 rows of state" in check

    world.steward.stop()
    before = world.postgres.contents(world.synapse.database)
    assert "5 of" in world.steward.exec("clean-state-groups --dry-run", check=True).stdout
    after = world.postgres.contents(world.synapse.database)
    changed = {table for table in after if after[table] != before[table]}
    assert changed <= SYNAPSES_OWN_NOTES, "a dry run changes nothing in the whole database"
    world.steward.start()

    card = world.alice.plan("!clean-state-groups")
    number = card.plan_number
    assert card.plan_words.endswith(" 5") and "15 rows" in card.first_body and "Last backup" in card.first_body
    assert world.job(number)["level"] == 4
    others = state_checksum(world, unused)
    world.alice.confirm(card)
    wait_marked(world, unused)
    assert not {needed, used, groups.used} & marked(world)
    time.sleep(3)
    assert there(world, unused) == unused, "Synapse waits ten minutes"
    assert world.job(number)["state"] == "running"
    open_transactions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'synapse-steward%' AND state = 'idle in transaction'"
    assert world.synapse.sql_value(open_transactions) == 0
    let_ten_minutes_pass(world)
    world.wait_job(number, "done", timeout=60)

    assert there(world, unused) == set() and traces(world, unused) == 0
    assert there(world, {needed, used, groups.used}) == {needed, used, groups.used}
    assert state_checksum(world, unused) == others
    receipt = world.alice.wait_receipt(number)
    assert "15 rows" in receipt and "none of" in receipt and "nothing grew" in receipt
    assert world.synapse.send(world.user("bob"), groups.room, "the room works")
    assert world.synapse.sql_value("SELECT count(*) FROM background_updates") == 0
    answer = world.alice.ask("!clean-state-groups", "Nothing to do", timeout=60)
    assert answer.plan_number is None


def test_kill_pause_and_resume_while_it_waits(world):
    """The wait survives kill -9 and a pause; a group that is used again meanwhile stays and is counted."""
    groups = Groups(world)
    free, again = groups.chain(4), groups.add()
    card = world.alice.plan("!clean-state-groups")
    number = card.plan_number
    world.alice.confirm(card)
    wait_marked(world, [*free, again])
    world.steward.kill()
    world.steward.start()
    wait_until(lambda: world.job(number)["state"] == "running", 30, "the job to go on")
    world.alice.send(f"!pause {number}")
    world.wait_job(number, "stopped", timeout=30)
    assert there(world, free) == set(free)
    world.alice.send(f"!resume {number}")
    resumed = wait_until(lambda: max((job["number"] for job in world.jobs() if job["number"] > number), default=0), 30, "the job that goes on")
    wait_until(lambda: world.job(resumed)["state"] == "running", 30, "the job to run")
    groups.use(again)
    let_ten_minutes_pass(world)
    world.wait_job(resumed, "done", timeout=60)
    assert there(world, [*free, again]) == {again}
    assert "Kept: 1 state group" in world.alice.wait_receipt(resumed)


def test_a_cancel_says_what_synapse_still_does(world):
    groups = Groups(world)
    free = groups.chain(2)
    card = world.alice.plan("!clean-state-groups")
    world.alice.confirm(card)
    wait_marked(world, free)
    world.alice.send(f"!cancel {card.plan_number}")
    world.wait_job(card.plan_number, "stopped", timeout=30)
    assert "Synapse still deletes what it has marked: 2 state groups" in world.alice.wait_receipt(card.plan_number)
    assert there(world, free) == set(free)
    let_ten_minutes_pass(world)
    wait_until(lambda: not there(world, free), 30, "Synapse's deletion")


def test_refusals(world):
    """A pending update, updates switched off, an older schema, a split database, the compressor's hour."""
    Groups(world).chain(2)
    sql = world.synapse.sql
    sql("INSERT INTO background_updates (update_name, progress_json) VALUES ('a_pending_update', '{}')")
    try:
        refused(world, "a_pending_update")
    finally:
        sql("DELETE FROM background_updates WHERE update_name = 'a_pending_update'")
    world.synapse.admin("POST", "/v1/background_updates/enabled", {"enabled": False})
    try:
        refused(world, "switched off", "background_updates/enabled")
    finally:
        world.synapse.admin("POST", "/v1/background_updates/enabled", {"enabled": True})
    sql("UPDATE schema_version SET version = 89")
    try:
        refused(world, "schema 89 is too old", "1.128")
    finally:
        sql("UPDATE schema_version SET version = 94")
    sql("ALTER TABLE state_groups RENAME TO state_groups_elsewhere")
    try:
        # By the terminal: Synapse itself cannot take a message without this table.
        assert "another database" in world.steward.exec("clean-state-groups --dry-run").stdout
    finally:
        sql("ALTER TABLE state_groups_elsewhere RENAME TO state_groups")
    room = world.fill.room(world.user("bob"))
    answer = world.alice.ask(f"!compress-state {room}", timeout=60)
    assert "!clean-state-groups needs an hour to itself" in answer and answer.plan_number is None
    sql("UPDATE steward.job SET command = 'compress-state' WHERE command = 'clean-state-groups'")
    refused(world, "!compress-state needs an hour to itself")
    sql("UPDATE steward.job SET finished_at = finished_at - interval '2 hours'")
    card = world.alice.plan("!clean-state-groups")
    world.alice.send(f"no {card.plan_number}")
    world.wait_job(card.plan_number, "void", timeout=30)


def test_marking_goes_on_after_a_kill(world):
    """Killed while Synapse's update is queued: the update is the job's own and no reason to refuse its continuation."""
    groups = Groups(world)
    free = groups.chain(2)
    card = world.alice.plan("!clean-state-groups")
    lock = threading.Event()
    held = threading.Event()

    def hold():
        """Somebody is setting the same mark: Synapse's own waits for the end of that transaction."""
        with world.postgres.connect(world.synapse.database) as connection:
            connection.autocommit = False
            connection.cursor().execute("INSERT INTO state_groups_pending_deletion (state_group, insertion_ts) VALUES (%s, 1)", (free[0],))
            held.set()
            lock.wait(60)
            connection.rollback()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        held.wait(10)
        world.alice.confirm(card)
        queued = "SELECT count(*) FROM background_updates WHERE update_name = %s"
        wait_until(lambda: world.synapse.sql_value(queued, (UPDATE,)) == 1, 60, "the queued update", 0.05)
        world.steward.kill()
        world.steward.start()
        time.sleep(2)
        assert world.synapse.sql_value(queued, (UPDATE,)) == 1, "Synapse waits for the mark that somebody is setting"
    finally:
        lock.set()
        holder.join()
    wait_marked(world, free)
    wait_until(lambda: world.synapse.sql_value(queued, (UPDATE,)) == 0, 30, "the end of the passes", 0.1)
    time.sleep(3)
    let_ten_minutes_pass(world)
    world.wait_job(card.plan_number, "done", timeout=60)
    assert there(world, free) == set()
