"""Charts in a real room: pictures that a client can load, with their numbers in words; text where no picture can be."""

import io
import re

import pytest
from PIL import Image

from support.process import wait_until


def note_days(world, days=9):
    """The bot noted the size of the database on so many days before today, 1 MB more each day."""
    sql = world.synapse.sql
    wait_until(lambda: sql("SELECT 1 FROM steward.table_size"), 20, "the first snapshot", 0.2)
    sql(
        "INSERT INTO steward.table_size (day, name, bytes, taken_at) SELECT day - back, name, greatest(0, bytes - back * 1048576), taken_at - back * interval '1 day'"
        f" FROM steward.table_size, generate_series(1, {days}) AS back"
    )


def fill(world):
    world.synapse.sql("ANALYZE")
    note_days(world)
    world.fill.media(world.user("carol"), 2, 30_000, age_days=1, content_type="image/png")
    world.fill.media(world.user("dave"), 1, 90_000, age_days=70, content_type="video/mp4")
    world.synapse.sql(
        "INSERT INTO user_daily_visits (user_id, device_id, timestamp) SELECT '@u' || u || ':hs.test', 'D', "
        "(extract(epoch FROM date_trunc('day', now())) * 1000)::bigint - d * 86400000 FROM generate_series(0, 6) AS d, generate_series(0, d) AS u"
    )
    # A table with something to waste, and more than a megabyte of it.
    world.synapse.sql("CREATE TABLE public.bloated AS SELECT n, repeat('x', 100) AS text FROM generate_series(1, 30000) AS n")
    world.synapse.sql("ALTER TABLE public.bloated SET (autovacuum_enabled = false); ALTER TABLE public.bloated OWNER TO synapse")
    world.synapse.sql("DELETE FROM public.bloated WHERE n % 2 = 0")
    world.synapse.sql("ANALYZE public.bloated")
    return world


@pytest.fixture(scope="module")
def world(new_world):
    return fill(new_world().start())


@pytest.fixture(scope="module")
def small_uploads(new_world):
    """A homeserver that takes no file of over a kilobyte."""
    made = new_world(settings={"max_upload_size": "1K"}).start()
    note_days(made)
    return made


def image(data):
    """The picture, decoded to its last byte."""
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "PNG"
    picture.load()
    return picture.convert("RGB")


def check_picture(message, data):
    picture = image(data)
    assert picture.size == (1080, 675)
    assert picture.getpixel((2, 2)) == (255, 255, 255)
    assert len(picture.getcolors(1 << 20)) > 10, "there is something on it"
    content = message.content
    assert content["info"] == {"w": 1080, "h": 675, "mimetype": "image/png", "size": len(data)}
    assert content["filename"].endswith(".png") and content["filename"] != message.body
    assert content["m.mentions"] == {} and re.search(r": .*\d", message.body), "the caption says the numbers"


COMMANDS = {
    "!db-size --chart": ["Largest tables"],
    "!db-size --indexes --chart": ["Largest indexes"],
    "!db-size --rooms --chart": ["Largest rooms"],
    "!db-bloat --chart": ["Wasted space"],
    "!db-growth --chart": ["Database size"],
    "!media-usage --chart": ["Local media by user"],
    "!media-usage --by type chart": ["Media, local and cached by type"],
    "!media-usage --by month --chart": ["Media by month"],
    "!status --chart": ["Database size", "Media by month"],
    "!report daily --chart": ["Database size"],
    "!report weekly": ["Database size", "People by day"],
    "!report disk": ["Database size"],
    "!report media": ["Media by type", "Media by server", "Media by month"],
    "!report users": ["People by day"],
}


@pytest.mark.parametrize("line", COMMANDS)
def test_pictures_arrive(world, line):
    pictures = world.alice.pictures(line, len(COMMANDS[line]))
    assert [message.body.split(":")[0].split(",")[0] for message, _ in pictures] == [title.split(",")[0] for title in COMMANDS[line]]
    for message, data in pictures:
        check_picture(message, data)


def test_without_the_flag_there_is_no_picture(world):
    for line in ("!db-size", "!db-growth", "!status", "!report daily"):
        event = world.alice.send(line)
        world.alice.wait_reaction(event, "✅")
        assert not [message for message in world.alice.bot_messages(event) if message.msgtype == "m.image"], line


def test_the_numbers_are_the_databases(world):
    (message, _), = world.alice.pictures("!db-size --limit 3 --chart", 1)
    largest = [name for (name,) in world.synapse.sql("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY pg_total_relation_size(oid) DESC, relname LIMIT 3")]
    assert re.match(rf"Largest tables: {largest[0]} [\d.]+ MB, {largest[1]} [\d.]+ \w+, {largest[2]} [\d.]+ \w+; of these rows ", message.body), message.body
    (message, _), = world.alice.pictures("!media-usage --chart", 1)
    assert "carol 58.6 kB" in message.body and "dave 87.9 kB" in message.body
    (message, _), = world.alice.pictures("!db-growth --chart", 1)
    size = world.synapse.sql_value("SELECT pg_database_size(current_database())") / 1048576
    measured = [float(number) for number in re.findall(r"([\d.]+) MB \(\d{4}-\d\d-\d\d\)", message.body)]
    assert len(measured) == 4 and "forecast" in message.body, message.body
    assert abs(measured[1] - size) < 0.5 and measured[0] < measured[1] == measured[2] < measured[3]


def test_hostile_names_are_harmless(world):
    room = world.fill.room(world.user("carol"), world.user("dave"), name="\u202Eevil <b>" + "W" * 200, messages=40)
    world.synapse.sql("ANALYZE")
    (message, data), = world.alice.pictures("!db-size --rooms --chart", 1)
    check_picture(message, data)
    assert "\u202e" not in message.body and "W" * 41 not in message.body
    assert world.synapse.room_exists(room)


def test_the_weekly_report_comes_with_its_pictures(world):
    before = world.alice.conversation[-1]
    world.synapse.sql("UPDATE steward.schedule SET next_run = now() WHERE line = 'report weekly'")
    assert world.alice.wait_message("Weekly report · hs.test", after=before, timeout=20)
    for title in ("Database size: ", "People by day: "):
        picture = world.alice.wait_message(title, after=before, where=lambda message: message.msgtype == "m.image")
        check_picture(picture, world.synapse.download(world.user("alice"), picture.content["url"]))


def test_uploads_are_noted_for_the_clean_up(world):
    before = world.synapse.sql_value("SELECT count(*) FROM steward.upload")
    world.alice.pictures("!db-growth --chart", 1)
    assert world.synapse.sql_value("SELECT count(*) FROM steward.upload") == before + 1


def test_the_terminal_prints_the_text_form(world):
    done = world.steward.exec("db-size --chart", check=True)
    rows = [line for line in done.stdout.splitlines() if "█" in line]
    assert rows and all(len(line) <= 34 for line in rows), done.stdout
    assert re.search("[▁-█]{8,}", world.steward.exec("db-growth --chart", check=True).stdout)
    assert world.steward.exec_json("db-size --chart")


def test_a_chart_that_cannot_be_uploaded_is_text(small_uploads):
    world = small_uploads
    event = world.alice.send("!db-size --chart")
    answer = world.alice.wait_message("Largest tables", after=event, where=lambda message: message.msgtype == "m.notice")
    assert "█" in answer and "<pre>" in answer.html and all(len(line) <= 34 for line in answer.body.splitlines())
    assert re.search("[▁-█]{8,}", world.alice.ask("!db-growth --chart", "Database size\n").body)
    assert not [message for message in world.alice.bot_messages(event) if message.msgtype == "m.image"]
    assert "the chart tables is shown as text" in world.steward.log()


def test_without_any_font_there_is_still_a_picture(small_uploads, world):
    """A machine without the font package: the drawing library's own letters."""
    world.steward.stop()
    nowhere = world.folder / "no-fonts.conf"
    nowhere.write_text('<?xml version="1.0"?><fontconfig></fontconfig>')
    world.steward.start(environment={"FONTCONFIG_FILE": str(nowhere)})
    (message, data), = world.alice.pictures("!db-size --chart", 1)
    check_picture(message, data)
