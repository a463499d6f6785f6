"""The commands that read the database, in a real room on a real Synapse: what they say is what the database holds, and no secret."""

import json
import re
import threading
import time

import psycopg2
import pytest

from support.postgres import PASSWORD
from support.process import wait_until
from support.statements import all_statements

REPORTS = {statement.name.removeprefix("report_").replace("_", "-"): statement for statement in all_statements() if statement.name.startswith("report_")}
TOKEN = "syt_YWxpY2U_QrStUvWxYzAbCdEfGhIj"  # shaped like an access token, cut: it opens nothing


@pytest.fixture(scope="module")
def world(new_world):
    made = new_world()
    made.start()
    made.synapse.sql("ANALYZE")
    return made


def ask(world, line, *expected, who="alice"):
    """An answer in the room; it fits a phone."""
    answer = world.clients[who].ask(line, *expected, timeout=60)
    assert len(answer.body.splitlines()) <= 18, answer.body
    return answer


def data(world, line):
    """The same answer's data, from the terminal through the running bot."""
    return json.loads(world.steward.exec(line, "--json", check=True).stdout)


def size_of(text):
    """The bytes of the first '18.4 MB' in the text."""
    number, unit = re.search(r"([\d.]+) (B|kB|MB|GB)", text).groups()
    return float(number) * 1024 ** ("B", "kB", "MB", "GB").index(unit)


def rows_by_size(rows):
    return sorted(rows, key=lambda row: -row["bytes"])


def carry_out(world, line):
    """A confirmed command, and its receipt: what is said after this is not that receipt. (card, job, receipt)"""
    card, job = world.carry_out(line)
    return card, job, world.alice.wait_receipt(card.plan_number)


def connect(world, application):
    """A connection of another program with Synapse's role, which the bot has too; every statement commits by itself."""
    connection = psycopg2.connect(world.postgres.dsn(world.synapse.database, user="synapse", password=PASSWORD), application_name=application)
    connection.autocommit = True
    return connection


# The cards.


def test_db(world):
    answer = ask(world, "!db", "oldest transaction", "dead rows", "cache hits", "wraparound")
    real = world.synapse.sql_value("SELECT pg_database_size(current_database())")
    assert abs(size_of(answer.body.split("Size")[1]) - real) < real * 0.1
    rows = {row["name"]: row["value"] for row in data(world, "db")}
    assert f"of {world.synapse.sql_value('SHOW max_connections')} in use" in rows["Connections"]
    assert "176 tables" in rows["Size"] or str(world.synapse.sql_value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")) in rows["Size"]


def test_db_names_the_oldest_transaction(world):
    connection = connect(world, "forgotten")
    connection.autocommit = False
    connection.cursor().execute("SELECT 1")
    answer = wait_until(lambda: (said := ask(world, "!db")) and "(forgotten," in said and said, 30, "the forgotten transaction to be the oldest", 1)
    connection.close()
    assert "(forgotten, idle in transaction)" in answer and "idle in a transaction" in answer


def test_db_size(world):
    answer = ask(world, "!db-size")
    rows = data(world, "db-size --limit 1000")
    real = dict(world.synapse.sql("SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"))
    assert {row["name"] for row in rows} == set(real)
    for row in rows:
        assert abs(row["bytes"] - real[row["name"]]) <= 256 * 1024, row
    largest = max(real, key=lambda name: (real[name], name))
    assert [row["bytes"] for row in rows] == sorted((row["bytes"] for row in rows), reverse=True)
    assert largest in answer or rows[0]["name"] in answer
    assert f"and {len(real) - 14} more" in answer


def test_db_size_of_indexes_and_rooms(world):
    count = world.synapse.sql_value(
        "SELECT count(*) FROM pg_index JOIN pg_class t ON t.oid = indrelid WHERE t.relnamespace = 'public'::regnamespace AND t.relkind = 'r'"
    )
    assert f"{count} indexes" in ask(world, "!db-size --indexes")
    world.synapse.sql("ANALYZE")
    rooms = data(world, "db-size --rooms --limit 500")
    known = {room for (room,) in world.synapse.sql("SELECT room_id FROM rooms")}
    assert rooms and {row["room_id"] for row in rooms} <= known
    most = dict(world.synapse.sql("SELECT room_id, count(*) FROM events GROUP BY 1"))
    assert [row["bytes"] for row in rows_by_size(rooms)] == [row["bytes"] for row in rooms]
    for row in rooms:
        if row["room_id"] != world.room:  # which grows as we talk
            assert abs(row["event_rows"] - most[row["room_id"]]) <= 1, row
    assert "estimated" in ask(world, "!db-size --rooms")


def test_sizes_as_a_file(world):
    event = world.alice.send("!db-size --csv")
    file = world.alice.wait_message(after=event, where=lambda message: message.msgtype == "m.file", timeout=60)
    assert "tables" in file.body


def test_two_views_at_once_are_refused(world):
    assert "--rooms" in ask(world, "!db-size --indexes --rooms")


def test_db_bloat(world):
    sql = world.synapse.sql
    sql("CREATE TABLE public.bloated AS SELECT n, repeat('x', 100) AS text FROM generate_series(1, 30000) AS n")
    sql("ALTER TABLE public.bloated SET (autovacuum_enabled = false); ALTER TABLE public.bloated OWNER TO synapse")
    sql("DELETE FROM public.bloated WHERE n % 2 = 0")
    sql("ANALYZE public.bloated")

    def counted():
        return next((row for row in data(world, "db-bloat") if row["name"] == "bloated" and row["dead_rows"] > 0), None)

    row = wait_until(counted, 30, "the dead rows of the table", 0.5)
    heap = world.synapse.sql_value("SELECT pg_relation_size('public.bloated')")
    assert row["heap_bytes"] == heap and row["dead_rows"] == 15000
    assert 0.35 * heap < row["wasted_bytes_estimated"] < 0.65 * heap
    assert row["vacuum_at"] == 50 + 15000 // 5
    assert "bloated" in ask(world, "!db-bloat", "autovacuum is due")
    sql("DROP TABLE public.bloated")


def test_db_activity_shows_who_waits_and_no_values(world):
    holder, waiter = connect(world, "holder"), connect(world, "waiter")
    pid, waiting_pid = holder.get_backend_pid(), waiter.get_backend_pid()
    holding = holder.cursor()
    holding.execute("CREATE TABLE public.waited_for (token text)")
    holder.autocommit = False
    holding.execute(f"LOCK TABLE public.waited_for; SELECT '{TOKEN}', 1")
    thread = threading.Thread(target=lambda: waiter.cursor().execute(f"INSERT INTO public.waited_for VALUES ('{TOKEN}')"))
    thread.start()
    try:
        waits = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        wait_until(lambda: world.synapse.sql(waits, (waiting_pid,)), 15, "the wait", 0.1)
        answer = ask(world, "!db-activity", "holder", "waiter")
        rows = {row["pid"]: row for row in data(world, "db-activity --all")}
        terminal = world.steward.exec("db-activity --all", "--json").stdout + world.steward.exec("db-activity --all").stdout
    finally:
        holder.rollback()
        thread.join()
        waiter.close()
        holder.autocommit = True
        holding.execute("DROP TABLE public.waited_for")
        holder.close()
    assert f"waits for pid {pid}" in answer and "1 blocked" in answer
    assert "INSERT INTO public.waited_for VALUES (?)" in answer
    assert rows[waiting_pid]["blocked_by"] == str(pid)
    assert rows[pid]["state"] == "idle in transaction" and rows[pid]["statement"].endswith("SELECT ?, …")
    for text in (answer.body, answer.html, json.dumps(rows), terminal, world.steward.log()):
        assert TOKEN not in text and "syt_" not in text


def test_db_activity_hides_the_values_of_synapse(world):
    """Whatever Synapse has just done with tokens: none is in any row."""
    world.synapse.client("GET", "/account/whoami", None, world.user("alice"))
    tokens = [token for (token,) in world.synapse.sql("SELECT token FROM access_tokens")]
    said = json.dumps(data(world, "db-activity --all"))
    assert tokens and "synapse" in said
    assert not [token for token in tokens if token in said]
    assert "'" not in "".join(row["statement"] for row in json.loads(said))


# The doctor of the database.


def checks(world):
    return {row["check"]: row for row in data(world, "check-db")}


def test_check_db_on_a_healthy_database(world):
    answer = ask(world, "!check-db", "locale", "sequences")
    assert "❌" not in answer.body
    found = checks(world)
    assert found["Locale"]["text"].startswith("C, C, UTF8")
    assert found["Missing indexes"]["verdict"] == found["Invalid indexes"]["verdict"] == found["Sequences"]["verdict"] == "good"
    version = world.synapse.sql_value("SELECT version FROM schema_version")
    assert found["Schema"]["text"].startswith(str(version))


def test_check_db_names_what_is_wrong(world):
    sql = world.synapse.sql
    index, definition = sql(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_attribute a ON attrelid = indrelid AND attnum = indkey[0]"
        " WHERE indrelid = 'event_edges'::regclass AND attname = 'prev_event_id'"
    )[0]  # fmt: skip
    newest = world.synapse.sql_value("SELECT last_value FROM state_group_id_seq")
    sql("CREATE TABLE public.doubled AS SELECT 1 AS x UNION ALL SELECT 1")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        sql("CREATE UNIQUE INDEX CONCURRENTLY doubled_x ON public.doubled (x)")
    try:
        sql(f"DROP INDEX {index}")
        sql("SELECT setval('state_group_id_seq', 1)")
        answer = ask(world, "!check-db")
        found = checks(world)
    finally:
        sql(f"SELECT setval('state_group_id_seq', {newest})")
        sql(definition)
        sql("DROP TABLE public.doubled")
    assert "3 things are wrong" in answer and answer.rings
    assert "doubled_x" in found["Invalid indexes"]["text"]
    assert "event_edges(prev_event_id)" in found["Missing indexes"]["text"]
    assert "state_group_id_seq is at 1" in found["Sequences"]["text"]
    assert checks(world)["Sequences"]["verdict"] == "good"


# Growth.


def test_growth_is_not_known_on_the_first_day(world):
    sql = world.synapse.sql
    wait_until(lambda: sql("SELECT 1 FROM steward.table_size"), 20, "the first snapshot", 0.2)
    tables = world.synapse.sql_value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    assert abs(world.synapse.sql_value("SELECT count(*) FROM steward.table_size") - tables - 1) <= 1
    (day,) = sql("SELECT DISTINCT day::text FROM steward.table_size")[0]
    assert f"since {day}" in ask(world, "!db-growth")
    assert "second day" in ask(world, "!db").body


def test_growth_and_forecast(world):
    sql = world.synapse.sql
    wait_until(lambda: sql("SELECT 1 FROM steward.table_size"), 20, "the first snapshot", 0.2)
    world.steward.restart()
    assert world.synapse.sql_value("SELECT count(DISTINCT taken_at) FROM steward.table_size") == 1, "a restart takes no second one"
    sql(
        "INSERT INTO steward.table_size (day, name, bytes, taken_at) SELECT day - 10, name,"
        " CASE name WHEN '' THEN bytes - 5242880 WHEN 'events' THEN bytes - 204800 ELSE bytes END, taken_at - interval '10 days' FROM steward.table_size"
    )
    rows = {row["name"]: row for row in data(world, "db-growth")}
    real = world.synapse.sql_value("SELECT pg_total_relation_size('events')")
    assert abs(rows["events"]["bytes"] - real) < 65536
    assert rows["events"]["grown_bytes"] == rows["events"]["bytes"] - rows["events"]["bytes_before"] >= 204800
    (first,) = sql("SELECT min(day)::text FROM steward.table_size")[0]
    answer = ask(world, "!db-growth", "forecast", "events")
    now, before = (world.synapse.sql_value("SELECT pg_database_size(current_database())"), world.synapse.sql_value("SELECT min(bytes) FROM steward.table_size WHERE name = ''"))
    assert f"since {first}" in answer
    grown = size_of(answer.body.split("+")[1])
    assert abs(grown - (now - before)) < 0.15 * (now - before), answer.body
    in_thirty = size_of(answer.body.split("≈")[1])
    assert abs(in_thirty - (now + 3 * (now - before))) < 0.1 * in_thirty, answer.body
    assert "second day" in ask(world, "!db-growth 5d"), "only today lies in that window"
    assert "in 10 d" in ask(world, "!db").body
    sql("DELETE FROM steward.table_size WHERE day < current_date - 1")


# Named reports.


def test_query_lists_the_reports(world):
    answer = ask(world, "!query")
    names = [row["name"] for row in data(world, "query")]
    assert len(names) == len(set(names)) == len(REPORTS)
    assert all(name in answer for name in names)


def test_every_report_answers(world):
    """Or says that this Synapse is too old for it."""
    version = world.synapse.sql_value("SELECT version FROM schema_version")
    for name in [row["name"] for row in data(world, "query")]:
        if REPORTS[name].fits(version):
            assert isinstance(data(world, f"query {name}"), list), name
        else:
            done = world.steward.exec(f"query {name}")
            assert done.returncode == 1 and "a table that this Synapse does not have" in done.stdout, f"{name}: {done.stdout}{done.stderr}"


def test_reports_count_right(world):
    sql = world.synapse.sql
    events = {row["name"]: row["events"] for row in data(world, "query rooms-events --limit 1000")}
    real = dict(sql("SELECT room_id, count(*) FROM events GROUP BY 1"))
    admin_room = world.room
    assert set(events) == set(real)
    assert all(abs(events[room] - count) <= (20 if room == admin_room else 0) for room, count in real.items())
    groups = {row["name"]: row["state_groups"] for row in data(world, "query rooms-state-groups --limit 1000")}
    assert groups == dict(sql("SELECT room_id, count(*) FROM state_groups GROUP BY 1"))
    world.fill.media(world.user("bob"), 3, 100_000)
    media = {row["name"]: row for row in data(world, "query users-media")}
    assert media["@bob:hs.test"]["files"] == 3
    assert media["@bob:hs.test"]["bytes"] == world.synapse.sql_value("SELECT sum(media_length)::bigint FROM local_media_repository WHERE user_id = '@bob:hs.test'")
    assert "293.0 kB" in ask(world, "!query users-media", "@bob:hs.test")
    (rate,) = sql("SELECT count(*) FROM events WHERE received_ts > (extract(epoch FROM now()) * 1000)::bigint - 86400000")[0]
    assert abs(sum(row["events"] for row in data(world, "query event-rate")) - rate) <= 20


def test_reports_take_ages_where_they_mean_something(world):
    now = int(time.time() * 1000)
    for days_ago in (1, 20):
        world.synapse.sql("INSERT INTO user_daily_visits (user_id, device_id, timestamp) VALUES ('@dave:hs.test', 'D', %s)", (now - days_ago * 86400000,))
    assert len(data(world, "query visits")) == 2
    assert len(data(world, "query visits 7d")) == 1
    assert "takes no age" in ask(world, "!query tasks 7d")


def test_no_free_sql(world):
    assert "no report" in ask(world, "!query rooms-event", "rooms-events").body
    for line in ("!query select", "!query \"SELECT token FROM access_tokens\""):
        answer = ask(world, line)
        assert "syt_" not in answer and "no report" in answer.body.lower()


# Who may.


def test_a_reader_gets_the_health_and_no_persons(world):
    world.synapse.client(
        "POST", f"/rooms/{world.room}/invite", {"user_id": world.user("carol").user_id}, world.steward.registration["as_token"],
        user_id=world.steward.user_id,
    )  # fmt: skip
    world.client("carol").enter(world.room)
    carry_out(world, "!allow @carol:hs.test reader")
    ask(world, "!db", "Oldest transaction", who="carol")
    ask(world, "!check-db", "Locale", who="carol")
    for line in ("!db-activity", "!query rooms-events", "!db-size --rooms"):
        refused = ask(world, line, who="carol")
        assert "operator" in refused and "Living room" not in refused


# Stopping.


class Sleeper:
    """A connection of another program that runs one long statement, or is idle in a transaction."""

    def __init__(self, world, statement="SELECT pg_sleep(600)", application="sleeper"):
        self.connection = connect(world, application)
        self.connection.autocommit = False
        self.pid = self.connection.get_backend_pid()
        self.error = None
        self.thread = threading.Thread(target=self._run, args=(statement,), daemon=True)
        self.thread.start()
        wait_until(lambda: world.synapse.sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND xact_start IS NOT NULL", (self.pid,)), 15, "the statement", 0.1)

    def _run(self, statement):
        try:
            self.connection.cursor().execute(statement)
        except psycopg2.Error as error:
            self.error = error

    def alive(self, world):
        return bool(world.synapse.sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (self.pid,)))

    def close(self, world):
        world.postgres.query("postgres", "SELECT pg_terminate_backend(%s)", (self.pid,))
        self.thread.join(10)
        self.connection.close()


@pytest.fixture()
def sleeper(world):
    """As Synapse's role, which the bot has too."""
    made = []

    def make(**how):
        made.append(Sleeper(world, **how))
        return made[-1]

    yield make
    for each in made:
        each.close(world)


def test_db_stop_cancels_one_statement(world, sleeper):
    victim, bystander = sleeper(), sleeper(application="bystander")
    card, job, receipt = carry_out(world, f"!db-stop {victim.pid}")
    assert "SELECT pg_sleep(?)" in card.first_body and job["level"] == 2
    victim.thread.join(10)
    assert isinstance(victim.error, psycopg2.errors.QueryCanceled)
    assert victim.alive(world) and bystander.alive(world) and bystander.error is None
    assert "cancelled" in receipt


def test_db_stop_terminates_an_idle_transaction(world, sleeper):
    victim = sleeper(statement="SELECT 1")
    victim.thread.join(10)
    assert "--terminate" in ask(world, f"!db-stop {victim.pid}"), "there is nothing to cancel"
    card, job, receipt = carry_out(world, f"!db-stop {victim.pid} --terminate")
    assert job["level"] == 3 and not victim.alive(world)


def test_db_stop_leaves_a_later_statement_alone(world, sleeper):
    victim = sleeper(statement="SELECT pg_sleep(600)")
    card = world.alice.plan(f"!db-stop {victim.pid}")
    world.postgres.query("postgres", "SELECT pg_cancel_backend(%s)", (victim.pid,))
    victim.thread.join(10)
    victim.connection.rollback()
    victim.error = None
    later = threading.Thread(target=victim._run, args=("SELECT pg_sleep(601)",), daemon=True)
    later.start()
    wait_until(lambda: world.synapse.sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND query LIKE '%%601%%' AND state = 'active'", (victim.pid,)), 15, "the later one", 0.1)
    world.alice.confirm(card)
    world.wait_job(card.plan_number, "done")
    assert "Nothing was stopped" in world.alice.wait_receipt(card.plan_number)
    assert world.items(card.plan_number) == {str(victim.pid): "kept"}
    assert later.is_alive() and victim.error is None


def test_db_stop_protects_backups_the_bot_and_what_is_not_there(world, sleeper):
    backup = sleeper(application="pg_dump")
    own = world.synapse.sql_value("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'synapse-steward%' AND pid <> pg_backend_pid() LIMIT 1")
    writer = world.synapse.sql_value("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
    for pid, why in ((backup.pid, "backup"), (own, "this bot"), (writer, "not stopped"), (2147483647, "no connection")):
        assert ask(world, f"!db-stop {pid} --terminate", why).plan_number is None
    assert backup.alive(world) and backup.error is None
