"""Rules for what goes by itself: made under a dry run, bounded, and exact: what a policy is not about stays."""

import re

import pytest

from support.process import wait_until
from support.synapse import ON_OLDEST


@pytest.fixture(scope="module")
def ruled(new_world):
    """Old media of two sizes; abandoned rooms of two people and of more, small and larger."""
    world = new_world().start()
    carol, dave, bob = (world.user(name) for name in ("carol", "dave", "bob"))
    world.small = world.fill.media(carol, 30, 1_000, age_days=200)
    world.large = world.fill.media(dave, 10, 50_000, age_days=100)
    world.fresh = world.fill.media(dave, 5, 50_000, age_days=1)
    two = world.fill.dead_room(carol, dave, messages=2)
    world.direct = [two, *world.fill.copy_rooms(two, 5)]
    named = world.fill.dead_room(carol, dave, bob, name="Club", messages=40)
    world.clubs = [named, *world.fill.copy_rooms(named, 3)]
    world.synapse.sql("ANALYZE")
    return world


def make(world, line):
    """Confirms the policy's plan; its number."""
    card = world.alice.plan(line)
    world.alice.confirm(card)
    made = world.alice.wait_message("Undo: !policy remove", after=card, timeout=60)
    return card, int(re.search(r"!policy remove (\d+)", made.body)[1])


def due(world, number):
    world.synapse.sql("UPDATE steward.schedule SET next_run = now() - interval '1 second' WHERE number = %s", (number,))


def last_job(world, number, before=0):
    query = "SELECT last_job FROM steward.schedule WHERE number = %s"
    return wait_until(lambda: (job := world.synapse.sql(query, (number,))[0][0]) > before and job, 60, "the policy to run")


def there(world, files):
    return {file for file in files if world.synapse.local_media_file(file).exists()}


def rooms_there(world, rooms):
    return {room for room in rooms if world.synapse.room_exists(room)}


def test_words_of_the_other_kind_are_refused(ruled):
    alice = ruled.alice
    assert "--min-events is for rooms" in alice.ask("!policy add media 90d --min-events 3")
    assert "--remote is for media" in alice.ask("!policy add rooms 90d --remote")
    assert "media" in alice.ask("!policy add medai 90d").body
    assert "12h" in alice.ask("!policy add media 12h").body
    assert "No policies" in alice.ask("!policies")


def test_a_dry_run_says_what_it_would_take(ruled):
    dry = ruled.alice.ask("!run-policy media 90d --at-most 4 --dry-run", "Dry run", timeout=60)
    assert "Left for the next run: 36" in dry and "40 files" in dry, dry.body
    assert "4 of what follows" in dry


def test_the_guide_to_a_smaller_server(ruled):
    """Every step says what it would free; a reaction opens its plan and no more."""
    alice = ruled.alice
    guide = alice.ask("!shrink", "How to make this server smaller", timeout=60)
    assert [line for line in ("!purge-media 90d --both", "!clean-rooms", "!clean-redacted", "!compress-state", "!vacuum-full") if line not in guide.body] == []
    assert "40 files" in guide and "10 of 7" in guide and ("cannot be told" in guide.body) == ON_OLDEST, guide.body  # that of compress-state
    assert len(guide.body.splitlines()) <= 18
    key = alice.wait_reaction(guide, "1️⃣".rstrip("\ufe0f"), "1️⃣")
    alice.react(guide, key)
    card = alice.wait_message("purge-media", after=guide, where=lambda m: m.plan_number)
    alice.send(f"no {card.plan_number}")
    ruled.wait_job(card.plan_number, "void", timeout=30)
    assert len(there(ruled, ruled.small + ruled.large)) == 40
    assert {step["step"] for step in ruled.steward.exec_json("shrink")} == {"Media", "Rooms", "Redacted text", "State", "Space back to the disk"}


def test_media_go_by_the_bound_and_nothing_else(ruled):
    world = ruled
    card, number = make(world, "!policy add media 90d --min-size 10k --at-most 4")
    assert "Bound: 4 items a run at most" in card and "Left for the next run: 6" in card, card.body
    assert "run-policy media 90d --min-size 10k --at-most 4" in world.alice.ask("!policies", f"{number} · daily 04:00")
    due(world, number)
    first = last_job(world, number)
    world.wait_job(first, "done")
    assert world.job(first)["command"] == "run-policy" and len(world.items(first)) == 4
    assert len(there(world, world.large)) == 6
    due(world, number)
    second = last_job(world, number, first)
    world.wait_job(second, "done")
    assert len(there(world, world.large)) == 2, "the next run takes the next four, by itself"
    assert there(world, world.small) == set(world.small) and there(world, world.fresh) == set(world.fresh), "smaller and newer ones stay"
    assert f"Policy {number} is removed. Undo: !policy add media 90d --min-size 10k --at-most 4" in world.alice.ask(f"!policy remove {number}", "is removed").body


def test_a_bound_in_bytes(ruled):
    """30 files of 1 000 bytes and 2 of 50 000: ten of the small ones fit, whatever their order."""
    dry = ruled.alice.ask("!run-policy media 90d --at-most-size 10k --dry-run", "Dry run", timeout=60)
    assert "10 of what follows" in dry and "Left for the next run: 22" in dry, dry.body


def test_the_cache_goes_from_its_oldest(ruled):
    world = ruled
    for days in (400, 300, 200, 100):
        world.fill.remote_media("far.example", count=10, size=1_000, age_days=days)
    held = "SELECT count(*) FROM remote_media_cache WHERE media_origin = 'far.example'"
    card, number = make(world, "!policy add media 90d --remote --at-most 25")
    assert "Left for the next run: 15" in card, card.body
    due(world, number)
    first = last_job(world, number)
    world.wait_job(first, "done")
    ages = "SELECT ((extract(epoch FROM now()) * 1000 - last_access_ts) / 86400000)::int AS days, count(*) FROM remote_media_cache GROUP BY 1 ORDER BY 1"
    assert world.synapse.sql(ages) == [(100, 10), (200, 5)], "the 25 oldest of 40"
    due(world, number)
    second = last_job(world, number, first)
    world.wait_job(second, "done")
    assert world.synapse.sql(held) == [(0,)]
    world.alice.ask(f"!policy remove {number}", "is removed")


def test_rooms_of_two_go_and_clubs_stay(ruled):
    world = ruled
    card, number = make(world, '!policy add rooms 30d --direct only --at-most 4 --when "sun 04:00"')
    assert "that the policy is not about" in card or "6 unused" in card, card.body
    due(world, number)
    job = last_job(world, number)
    world.wait_job(job, "done", timeout=120)
    assert set(world.items(job)) <= set(world.direct) and len(world.items(job)) == 4
    assert len(rooms_there(world, world.direct)) == 2 and rooms_there(world, world.clubs) == set(world.clubs)
    world.alice.ask(f"!policy remove {number}", "is removed")


def test_rooms_by_size_and_people(ruled):
    world = ruled
    large = world.alice.ask("!run-policy rooms 30d --min-events 30 --dry-run", "Dry run", timeout=60)
    assert "4 unused" in large, large.body
    assert "not about" in large
    few = world.alice.ask("!run-policy rooms 30d --max-events 30 --dry-run", "Dry run", timeout=60)
    assert "2 unused" in few, few.body
    nobody = world.alice.ask("!run-policy rooms 30d --max-members 0 --dry-run", "Dry run", timeout=60)
    assert "6 unused" in nobody, nobody.body


def test_one_may_be_run_by_hand(ruled):
    world = ruled
    card, job = world.carry_out("!run-policy rooms 30d --min-events 30 --at-most 1")
    assert job["state"] == "done" and len(rooms_there(world, world.clubs)) == 3
    assert "1 room deleted" in world.alice.wait_receipt(card.plan_number)


def test_another_schedule_is_no_policy(ruled):
    world = ruled
    number = world.synapse.sql("SELECT number FROM steward.schedule WHERE line = 'report daily'")[0][0]
    assert "is no policy" in world.alice.ask(f"!policy remove {number}")
    assert "There is no schedule 999" in world.alice.ask("!policy remove 999")
