"""!purge-media and !purge-user-media: the plan equals what Synapse deletes, to the row and the byte; the rest is kept and counted."""

import pytest


@pytest.fixture
def fresh(new_world):
    """A world per test: media are counted over the whole server."""
    return new_world().start()


def planned(world, number):
    """(files, bytes) of a plan."""
    rows = world.synapse.sql("SELECT count(*), coalesce(sum(bytes), 0) FROM steward.job_item WHERE job = %s", (number,))
    return int(rows[0][0]), int(rows[0][1])


def stock(world):
    """Media of all kinds: returns the ids that a purge of 30 days takes."""
    fill, bob, carol = world.fill, world.user("bob"), world.user("carol")
    old = set(fill.media(bob, 5, 10_000) + fill.media(carol, 3, 7_000))
    never_opened = fill.media(carol, 2, 3_000)
    fill.age_media(never_opened, 60, accessed=False)
    fill.media(bob, 40, 30_000, age_days=2)
    fill.avatar(carol)
    (bad,) = fill.media(bob, 1, 5_000)
    fill.quarantine(bad)
    (precious,) = fill.media(bob, 1, 6_000)
    fill.protect(precious)
    return old | set(never_opened)


def local_media(world):
    return {row[0] for row in world.synapse.sql("SELECT media_id FROM local_media_repository")}


def test_plan_equals_deletion(fresh):
    world = fresh
    old = stock(world)
    before, files = world.fill.snapshot(), local_media(world)
    card, job = world.carry_out("!purge-media 30d")
    count, size = planned(world, card.plan_number)
    after = world.fill.snapshot()
    assert files - local_media(world) == old
    assert count == len(old) == before["local media"] - after["local media"] == before["media files"] - after["media files"]
    assert size == before["local media bytes"] - after["local media bytes"] == before["media file bytes"] - after["media file bytes"]
    assert str(count) in card.body
    assert all(not world.synapse.local_media_file(media).exists() for media in old)
    receipt = world.alice.wait_receipt(card.plan_number)
    assert str(count) in receipt.body
    audited = world.synapse.sql("SELECT actor, line, job FROM steward.audit WHERE job = %s", (job["number"],))
    assert audited and audited[-1][0] == "@alice:hs.test" and "purge-media" in audited[-1][1]


def test_same_choice_as_synapse(fresh):
    """What is left after the bot's purge, Synapse's own bulk call with the same age does not want either."""
    world = fresh
    stock(world)
    world.carry_out("!purge-media 30d")
    import time

    before_ts = int(time.time() * 1000) - 30 * 86_400_000
    answer = world.synapse.admin("POST", "/v1/media/delete", {}, before_ts=before_ts)
    assert answer["total"] == 0


def test_dry_run_deletes_nothing_and_tells_all(fresh):
    world = fresh
    old = stock(world)
    before = world.fill.snapshot()
    answer = world.alice.ask("!purge-media 30d --dry-run", timeout=60)
    assert str(len(old)) in answer.body and answer.plan_number is None
    after = world.fill.snapshot()
    for snapshot in (before, after):
        snapshot.pop("events")  # the conversation itself
    assert after == before
    assert not [job for job in world.jobs() if job["state"] != "void" and job["state"] != "done"]


def test_kept_ones_are_counted_with_reasons(fresh):
    world = fresh
    stock(world)
    answer = world.alice.ask("!purge-media 30d --dry-run", timeout=60)
    for reason in ("quarantined", "protected"):
        assert reason in answer, answer.body
    assert "avatar" in answer or "profile" in answer


def test_include_profiles(fresh):
    world = fresh
    avatar = world.fill.avatar(world.user("carol"))
    _, kept = world.plan_only("!purge-media 30d") if world.fill.media(world.user("bob")) else (None, {})
    assert not any(avatar in target for target in kept)
    _, taken = world.plan_only("!purge-media 30d --include-profiles")
    assert any(avatar in target for target in taken)


def test_min_size_and_user_and_type(fresh):
    world = fresh
    big = set(world.fill.media(world.user("bob"), 2, 50_000))
    small = set(world.fill.media(world.user("bob"), 2, 500))
    other = set(world.fill.media(world.user("carol"), 2, 50_000, content_type="image/jpeg"))

    def chosen(line):
        _, items = world.plan_only(line)
        return {target.rsplit("/", 1)[-1] for target in items}

    assert chosen("!purge-media 30d --min-size 10k") == big | other
    assert chosen("!purge-media 30d --user @bob:hs.test") == big | small
    assert chosen("!purge-media 30d --user bob --min-size 10k") == big
    assert chosen("!purge-media 30d --type image/jpeg") == other


def test_room(fresh):
    """Only what unencrypted messages of the room name; the plan says so."""
    world = fresh
    named, other = world.fill.media(world.user("bob"), 2, 4_000)
    room = world.synapse.create_room(world.user("bob"), name="With pictures")
    world.synapse.send(world.user("bob"), room, {"msgtype": "m.image", "body": "p.png", "url": f"mxc://hs.test/{named}"})
    card, items = world.plan_only(f"!purge-media 30d --room {room}")
    assert {target.rsplit("/", 1)[-1] for target in items} == {named}
    assert "unencrypted" in card and "With pictures" in card
    world.carry_out(f"!purge-media 30d --room {room} --local")
    assert named not in local_media(world) and other in local_media(world)


@pytest.mark.parametrize("flag", ["--min-size 10k", "--user bob", "--type image", "--include-profiles", "--room {room}"])
@pytest.mark.parametrize("where", ["--remote", "--both"])
def test_flags_of_local_media_do_not_widen_a_remote_purge(stocked, where, flag):
    """Synapse purges the cache by age alone: a flag that it could not keep stops the command."""
    answer = stocked.alice.ask(f"!purge-media 30d {where} {flag.format(room=stocked.room)}", "local media only", timeout=60)
    assert answer.plan_number is None and not stocked.jobs()


@pytest.fixture(scope="module")
def stocked(new_world):
    """Local and remote media that a purge of 30 days would take."""
    world = new_world().start()
    world.fill.media(world.user("bob"), 2, 50_000)
    world.fill.remote_media(count=2)
    return world


def test_remote_only(fresh):
    world = fresh
    local = set(world.fill.media(world.user("bob"), 2))
    world.fill.remote_media(count=4, size=9_000)
    world.fill.remote_media(count=2, size=100, age_days=1)
    world.fill.remote_media(count=1, size=100, quarantined=True)
    before = world.fill.snapshot()
    card, _ = world.carry_out("!purge-media 30d --remote")
    after = world.fill.snapshot()
    assert before["remote media"] - after["remote media"] == 4
    assert before["remote media bytes"] - after["remote media bytes"] == 36_000
    assert "4" in card.body
    assert local <= local_media(world)


def test_both(fresh):
    world = fresh
    local = set(world.fill.media(world.user("bob"), 2))
    world.fill.remote_media(count=3)
    world.carry_out("!purge-media 30d --both")
    assert not local & local_media(world)
    assert world.synapse.sql_value("SELECT count(*) FROM remote_media_cache") == 0


def test_what_was_opened_meanwhile_is_kept_and_named(fresh):
    """Frozen targets only leave the list."""
    world = fresh
    first, second = world.fill.media(world.user("bob"), 2, 4_000)
    card = world.alice.plan("!purge-media 30d")
    world.fill.age_media([first], 0)
    later = world.fill.media(world.user("bob"), 1, 4_000)
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "done")
    assert local_media(world) & {first, second, *later} == {first, *later}
    items = world.items(card.plan_number)
    assert sorted(items.values()) == ["done", "kept"]
    receipt = world.alice.wait_receipt(card.plan_number)
    assert "kept" in receipt or first in receipt.body


def test_protected_between_plan_and_act(fresh):
    world = fresh
    first, second = world.fill.media(world.user("bob"), 2, 4_000)
    card = world.alice.plan("!purge-media 30d")
    world.fill.protect(first)
    world.fill.quarantine(second)
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "done")
    assert {first, second} <= local_media(world)


def test_purge_user_media(fresh):
    world = fresh
    mine = set(world.fill.media(world.user("bob"), 3, age_days=1)) | set(world.fill.media(world.user("bob"), 2, age_days=90))
    others = set(world.fill.media(world.user("carol"), 2, age_days=90))
    _, job = world.carry_out("!purge-user-media @bob:hs.test")
    assert not mine & local_media(world) and others <= local_media(world)
    assert job["state"] == "done"


def test_purge_user_media_by_age(fresh):
    world = fresh
    recent = set(world.fill.media(world.user("bob"), 3, age_days=1))
    old = set(world.fill.media(world.user("bob"), 2, age_days=90))
    dry = world.alice.ask("!purge-user-media bob 30d --dry-run", timeout=60)
    assert dry.plan_number is None and not world.jobs() and old <= local_media(world)
    world.carry_out("!purge-user-media bob 30d")
    assert recent <= local_media(world) and not old & local_media(world)


def test_purge_user_media_and_his_picture(fresh):
    """It stays, unless the flag names it."""
    world = fresh
    avatar = world.fill.avatar(world.user("carol"))
    world.fill.media(world.user("carol"), 1)
    _, kept = world.plan_only("!purge-user-media carol")
    assert kept and not any(avatar in target for target in kept)
    world.carry_out("!purge-user-media carol --include-profiles")
    assert avatar not in local_media(world)


def test_nothing_to_do(fresh):
    answer = fresh.alice.ask("!purge-media 30d", timeout=60)
    assert answer.plan_number is None and not [job for job in fresh.jobs() if job["state"] in ("queued", "running")]


def test_a_user_that_does_not_exist(fresh):
    answer = fresh.alice.ask("!purge-user-media @nobody:hs.test", timeout=60)
    assert answer.plan_number is None


def test_media_usage(fresh):
    fresh.fill.media(fresh.user("bob"), 3, 100_000)
    answer = fresh.alice.ask("!media-usage --by user", timeout=60)
    assert "bob" in answer
