"""Who can confirm a plan, with what, how long and how often; what voids one."""

import pytest


@pytest.fixture(scope="module")
def two_admins(new_world):
    """A world where alice and bob are both in the room; media give level-3 plans, rooms level-4 ones."""
    world = new_world().start(join=("alice", "bob"))
    world.fill.media(world.user("carol"), 60, 20_000, age_days=1)
    world.dead = world.fill.dead_room(world.user("carol"), name="Empty")
    return world


@pytest.fixture
def media(two_admins):
    """A waiting plan of level 3 over two files."""
    world = two_admins
    world.files = world.fill.media(world.user("carol"), 2, 1_000)
    world.card = world.alice.plan("!purge-media 30d")
    assert world.job(world.card.plan_number)["level"] == 3
    yield world
    world.alice.send(f"no {world.card.plan_number}")
    world.wait_job(world.card.plan_number, "void", "done", timeout=30)
    world.synapse.sql("UPDATE local_media_repository SET last_access_ts = created_ts + 8640000000 WHERE media_id = ANY(%s)", (world.files,))
    world.fill.age_media([m for m in world.files if world.synapse.local_media_file(m).exists()], 0)


@pytest.fixture
def rooms(two_admins):
    """A waiting plan of level 4 over one room."""
    world = two_admins
    world.card = world.alice.plan("!clean-rooms")
    yield world
    if world.job(world.card.plan_number)["state"] == "waiting":
        world.alice.send(f"no {world.card.plan_number}")
        world.wait_job(world.card.plan_number, "void", timeout=30)


def state(world, wait=1.5):
    import time

    time.sleep(wait)
    return world.job(world.card.plan_number)["state"]


def test_card_offers_both_reactions(media):
    media.alice.wait_reaction(media.card, "✅")
    media.alice.wait_reaction(media.card, "❌")
    assert media.card.rings


@pytest.mark.parametrize("key", ["✅", "✔️", "👍🏽", "✅\ufe0f"])
def test_reaction_confirms(media, key):
    media.alice.react(media.card, key)
    media.wait_job(media.card.plan_number, "done")


def test_reply_confirms(media):
    media.alice.send("yes", reply_to=media.card)
    media.wait_job(media.card.plan_number, "done")


def test_number_confirms(media):
    media.alice.send(f"!yes {media.card.plan_number}")
    media.wait_job(media.card.plan_number, "done")


def test_bare_yes_directly_below_the_card(media):
    media.alice.send("Yes.")
    media.wait_job(media.card.plan_number, "done")


def test_bare_yes_of_another_person_is_no_answer(media):
    media.bob.send("yes")
    assert state(media) == "waiting"


def test_another_admin_confirms_by_number_and_is_named(media):
    media.bob.send(f"yes {media.card.plan_number}")
    job = media.wait_job(media.card.plan_number, "done")
    assert job["confirmed_by"] == "@bob:hs.test"
    receipt = media.alice.wait_message("bob", after=media.card)
    assert receipt


@pytest.mark.parametrize("key", ["❌", "👎"])
def test_reaction_declines(media, key):
    media.alice.react(media.card, key)
    media.wait_job(media.card.plan_number, "void")


def test_no_declines(media):
    media.alice.send("no", reply_to=media.card)
    media.wait_job(media.card.plan_number, "void")


def test_wrong_number(media):
    media.alice.send(f"yes {media.card.plan_number + 1000}")
    assert state(media) == "waiting"


def test_reaction_on_another_event_does_nothing(media):
    other = media.alice.send("look above")
    media.alice.react(other, "✅")
    assert state(media) == "waiting"


def test_single_use(media):
    media.alice.react(media.card, "✅")
    media.wait_job(media.card.plan_number, "done")
    jobs = len(media.jobs())
    media.alice.send(f"yes {media.card.plan_number}")
    media.bob.react(media.card, "✅")
    assert state(media) == "done" and len(media.jobs()) == jobs


def test_too_late(media):
    """Ten minutes at arrival; here the clock of the plan is moved."""
    media.synapse.sql("UPDATE steward.job SET expires_at = now() - interval '1 second', created_at = now() - interval '601 seconds' WHERE number = %s",
                      (media.card.plan_number,))  # fmt: skip
    media.alice.react(media.card, "✅")
    media.wait_job(media.card.plan_number, "void", timeout=30)
    assert all(media.synapse.local_media_file(file).exists() for file in media.files)


def test_redacted_command_voids_its_plan(media):
    command = [message for message in media.alice.conversation if message.body == "!purge-media 30d"][-1]
    media.alice.redact(command)
    media.wait_job(media.card.plan_number, "void", timeout=30)


def test_edited_command_voids_its_plan_and_says_so(media):
    command = [message for message in media.alice.conversation if message.body == "!purge-media 30d"][-1]
    media.alice.edit(command, "!purge-media 60d")
    media.wait_job(media.card.plan_number, "void", timeout=30)
    assert media.alice.wait_message("edit", after=media.card)


def test_level_4_answers_a_tap_with_the_word(rooms):
    rooms.alice.react(rooms.card, "✅")
    answer = rooms.alice.wait_message(rooms.card.plan_words, after=rooms.card)
    assert answer and state(rooms, 0.5) == "waiting"
    rooms.alice.send(f"yes {rooms.card.plan_number}")
    assert state(rooms) == "waiting"
    rooms.alice.send(f"yes {rooms.card.plan_number} wrong-word")
    assert state(rooms) == "waiting"
    assert rooms.synapse.room_exists(rooms.dead)


def test_level_4_speaks_of_backups(rooms):
    assert "backup" in rooms.card


def test_second_admin(two_admins):
    world = two_admins
    world.steward.change_config(safety={"second_admin": True})
    world.steward.restart()
    try:
        card = world.alice.plan("!clean-rooms")
        world.card = card
        world.alice.confirm(card)
        assert state(world, 2) == "waiting"
        world.bob.send(card.plan_words)
        assert world.wait_job(card.plan_number, "done")["confirmed_by"] == "@bob:hs.test"
        assert not world.synapse.room_exists(world.dead)
    finally:
        world.steward.change_config(safety={"second_admin": False})
        world.steward.restart()


def test_max_level_caps_the_room(two_admins):
    world = two_admins
    world.fill.media(world.user("carol"), 1, 1_000)
    world.steward.change_config(safety={"max_level": 1})
    world.steward.restart()
    try:
        answer = world.alice.ask("!purge-media 30d", timeout=60)
        assert answer.plan_number is None and "max_level" in answer.body
        assert world.alice.ask("!purge-media 30d --dry-run", timeout=60)
    finally:
        world.steward.change_config(safety={"max_level": 4})
        world.steward.restart()


def test_a_plan_survives_a_restart_of_the_bot(media):
    media.steward.kill()
    media.steward.start()
    media.alice.react(media.card, "✅")
    media.wait_job(media.card.plan_number, "done")
