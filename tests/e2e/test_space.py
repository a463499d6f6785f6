"""!analyze, !vacuum, !reindex, !vacuum-full on Synapse's own schema: what they do, what waits, what a cancel leaves."""

import time

import pytest

from support.process import patience, wait_until
from support.space import Holder, swell, total

@pytest.fixture(scope="module")
def space(new_world):
    """A world whose table of other servers is swollen: without federation nobody needs it, so it may be locked."""
    world = new_world().start()
    swell(world)
    return world


def files(world, but="destinations"):
    """The files of every other table and index."""
    return dict(world.synapse.sql(
        "SELECT c.oid::text, c.relfilenode::text FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid"
        " WHERE c.relkind IN ('r', 'i') AND c.relnamespace = 'public'::regnamespace"
        " AND coalesce(i.indrelid, c.oid) <> %s::regclass", (but,)
    ))  # fmt: skip


def invalid(world):
    return [name for (name,) in world.synapse.sql("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1")]


def test_analyze_all_at_once(space):
    command = space.alice.send("!analyze")
    number = wait_until(lambda: max((job["number"] for job in space.jobs()), default=None), 30, "the job")
    space.wait_job(number, "done", timeout=120)
    receipt = space.alice.wait_receipt(number)
    tables = space.synapse.sql_value("SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    assert f"{tables} tables analysed" in receipt.body
    never = "SELECT count(*) FROM pg_stat_user_tables WHERE schemaname = 'public' AND last_analyze IS NULL"
    assert wait_until(lambda: space.synapse.sql_value(never) == 0, 10, "the statistics")
    assert space.alice.wait_reaction(command, "✅")


def test_vacuum_one_table(space):
    before = files(space, but="rooms")
    card, job = space.carry_out("!vacuum destinations")
    assert "destinations" in card.first_body and "dead rows" in card.first_body
    receipt = space.alice.wait_receipt(card.plan_number)
    assert "1 table vacuumed" in receipt.body and "36" in receipt.body  # 36 000 rows
    assert space.synapse.sql_value("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'destinations'") < 1000
    assert files(space, but="rooms") == before
    assert job["level"] == 2


def test_vacuum_dry_run_and_nothing_to_do(space):
    answer = space.alice.ask("!vacuum --dry-run", timeout=60)
    assert answer.plan_number is None and "Dry run" in answer


def test_vacuum_full_list_then_one(space):
    swell(space)
    listed = space.alice.ask("!vacuum-full", timeout=60)
    assert listed.plan_number is None and "destinations" in listed
    card = space.alice.plan("!vacuum-full destinations")
    for word in ("ACCESS EXCLUSIVE", "Free disk", "Last backup", "Returned"):
        assert word in card.first_body, card.first_body
    assert card.plan_words.endswith(" destinations")
    others, before = files(space), total(space)
    rows = space.synapse.sql_value("SELECT md5(string_agg(d::text, ',' ORDER BY destination)) FROM destinations d")
    space.alice.confirm(card)
    job = space.wait_job(card.plan_number, "done", timeout=120)
    assert total(space) < before / 2
    assert files(space) == others
    assert space.synapse.sql_value("SELECT md5(string_agg(d::text, ',' ORDER BY destination)) FROM destinations d") == rows
    assert "returned to the disk" in space.alice.wait_receipt(card.plan_number) and job["level"] == 4


def test_a_reaction_does_not_confirm_vacuum_full(space):
    card = space.alice.plan("!vacuum-full rooms")
    space.alice.react(card, "✅")
    time.sleep(2 * patience())
    assert space.job(card.plan_number)["state"] == "waiting"
    space.alice.send(f"no {card.plan_number}")
    space.wait_job(card.plan_number, "void", timeout=30)


def test_the_vital_tables_are_warned_of(space):
    card, _ = space.plan_only("!vacuum-full events")
    assert "stands still" in card.first_body


def test_reindex(space):
    swell(space)
    index = "destinations_pkey"
    before = space.synapse.sql_value("SELECT pg_relation_size(%s::regclass)", (index,))
    others = files(space)
    card, _ = space.carry_out("!reindex destinations")
    assert set(space.items(card.plan_number).values()) == {"done"}
    assert space.synapse.sql_value("SELECT pg_relation_size(%s::regclass)", (index,)) < before
    assert files(space) == others and invalid(space) == []
    assert "no invalid copy is left" in space.alice.wait_receipt(card.plan_number)


@pytest.mark.parametrize("holds", ["rooms", "destinations"])
def test_a_cancelled_reindex(space, holds):
    """It ends within about a second; its copy goes at once, or, where a lock keeps it, by the next reindex."""
    holder = Holder(space, f"SELECT count(*) FROM {holds}")
    try:
        card = space.alice.plan("!reindex destinations_pkey")
        space.alice.confirm(card)
        number = card.plan_number
        space.wait_job(number, "running")
        wait_until(lambda: invalid(space), 30, "the copy that is being built")
        live = space.alice.live_message(number)
        space.alice.wait_for(lambda: "waits for" in live and "somebody else" in live, 30, "the live message to say whom it waits for")
        space.alice.send(f"!cancel {number}")
        started = time.monotonic()
        space.wait_job(number, "stopped", timeout=15)
        assert time.monotonic() - started < 2.5 * patience()
        assert space.items(number) == {"destinations_pkey": "planned"}
        receipt = space.alice.wait_receipt(number)
        if holds == "rooms":
            assert invalid(space) == []
        else:
            assert invalid(space) == ["destinations_pkey_ccnew"] and "destinations_pkey_ccnew" in receipt
    finally:
        holder.let_go()
    if holds == "destinations":
        card, _ = space.carry_out("!reindex destinations")
        assert "Leftovers" in card.first_body and space.items(card.plan_number)["destinations_pkey_ccnew"] == "done"
        assert invalid(space) == []


@pytest.mark.parametrize("line", ["!vacuum destinations", "!vacuum-full destinations"])
def test_a_lock_of_ten_seconds_is_waited_for(space, line):
    card = space.alice.plan(line)
    Holder(space, "LOCK TABLE destinations IN SHARE UPDATE EXCLUSIVE MODE", seconds=10)
    started = time.monotonic()
    space.alice.confirm(card)
    # Behind the waiting rewrite others can still read.
    worst = 0
    while space.job(card.plan_number)["state"] in ("waiting", "queued", "running"):
        began = time.monotonic()
        space.synapse.sql("SELECT count(*) FROM destinations")
        worst = max(worst, time.monotonic() - began)
        time.sleep(0.1)
    assert space.job(card.plan_number)["state"] == "done"
    space.alice.wait_receipt(card.plan_number)
    assert time.monotonic() - started > 8
    assert worst < 2 * patience(), worst


@pytest.mark.parametrize("line", ["!vacuum destination", "!analyze destination", "!vacuum-full destination", "!reindex destination"])
def test_a_table_that_is_not_there(space, line):
    answer = space.alice.ask(line, "no table", timeout=60)
    assert answer.plan_number is None and "destinations" in answer


@pytest.mark.parametrize("name", ["pg_class", "job", "steward.job", "rooms;drop"])
def test_only_synapses_own_tables(space, name):
    assert space.alice.ask(f"!vacuum {name}", "no table", timeout=60).plan_number is None


def test_a_dead_bot_leaves_no_copy(space):
    """Killed in the middle of a rebuild: after the start the copy is dropped and the index built."""
    holder = Holder(space, "SELECT count(*) FROM rooms")
    card = space.alice.plan("!reindex destinations_pkey")
    space.alice.confirm(card)
    wait_until(lambda: invalid(space), 30, "the copy that is being built")
    space.steward.kill()
    holder.let_go()
    space.steward.start()
    space.wait_job(card.plan_number, "done", timeout=120)
    assert invalid(space) == []
    assert space.synapse.sql_value("SELECT count(*) FROM pg_index WHERE indrelid = 'destinations'::regclass AND indisvalid") >= 1
