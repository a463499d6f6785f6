"""The two roles of `steward setup --grants` on a real Synapse's database: reports run as the reader, plans and jobs as the writer,
and neither may more."""

import re
from contextlib import closing

import psycopg2
import pytest

from support.lines import dry_run_lines, report_lines
from support.postgres import PASSWORD
from support.statements import SECRET_COLUMNS, SECRETS_OF_THE_WRITER, all_statements, values_of

READER, WRITER = "only_reports", "only_works"


def apply_grants(world):
    """As the documentation says: a superuser, psql, names of one's own."""
    script = world.folder / "grants.sql"
    script.write_text(world.steward.command("setup", "--grants", check=True).stdout)
    name = world.synapse.database
    world.postgres.psql(name, "--set", f"reader={READER}", "--set", f"writer={WRITER}", "--file", script, user="postgres")
    for role in (READER, WRITER):
        world.synapse.sql(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")


@pytest.fixture(scope="module")
def world(new_world):
    made = new_world()
    made.install()
    made.synapse.sql("DROP SCHEMA IF EXISTS steward CASCADE")
    apply_grants(made)
    url = {role: made.postgres.url(made.synapse.database, role, PASSWORD) for role in (READER, WRITER)}
    made.steward.change_config(database={"synapse": url[WRITER], "reader": url[READER]})
    made.add_host()
    made.start()
    made.steward.exec("allow @dave reader", "--yes", check=True)
    made.synapse.sql("ANALYZE")
    made.living = made.template.live_rooms[0]
    made.media = "mxc://hs.test/" + made.fill.media(made.user("carol"))[0]
    yield made
    made.steward.stop()
    made.synapse.sql(f"REASSIGN OWNED BY {WRITER}, {READER} TO postgres; DROP OWNED BY {WRITER}, {READER}; DROP ROLE {WRITER}, {READER}")


def as_role(world, role):
    connection = psycopg2.connect(world.postgres.dsn(world.synapse.database, user=role, password=PASSWORD))
    connection.autocommit = True
    return connection


def test_the_script_can_be_run_again(world):
    apply_grants(world)


def test_the_bot_runs_as_these_roles(world):
    roles = {name: role for role, name in world.synapse.sql(
        "SELECT usename, application_name FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'synapse-steward%'"
    )}  # fmt: skip
    world.steward.exec("db", check=True)
    assert set(roles.values()) <= {READER, WRITER}, roles
    assert not world.synapse.sql("SELECT 1 FROM pg_roles WHERE rolsuper AND rolname = ANY (%s)", ([READER, WRITER],))


@pytest.mark.parametrize("role", [READER, WRITER])
def test_no_secret_can_be_read(world, role):
    """Each column of the list is refused by the server itself, by name and by the whole row."""
    allowed = SECRETS_OF_THE_WRITER if role == WRITER else set()
    with closing(as_role(world, role)) as connection, connection.cursor() as cursor:
        for table, columns in SECRET_COLUMNS.items():
            for column in columns:
                if (table, column) in allowed:
                    continue
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(f"SELECT {column} FROM {table}")
                    pytest.fail(f"{role} reads {table}.{column}")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(f"SELECT * FROM {table}")
                pytest.fail(f"{role} reads {table}")


def test_the_reader_cannot_write_and_the_writer_not_everything(world):
    for role, statements in {
        READER: ["DELETE FROM events", "UPDATE rooms SET is_public = true", "DELETE FROM event_search", "CREATE TABLE public.x (y int)", "SELECT * FROM steward.job"],
        WRITER: ["DELETE FROM users", "UPDATE users SET admin = 1", "UPDATE rooms SET is_public = true", "UPDATE events SET sender = '@x:y'", "DELETE FROM devices", "DELETE FROM schema_compat_version", "CREATE TABLE public.x (y int)"],
    }.items():  # fmt: skip
        with closing(as_role(world, role)) as connection, connection.cursor() as cursor:
            for statement in statements:
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(statement)
                    pytest.fail(f"{role}: {statement}")


def test_every_statement_runs_as_its_role(world):
    database, version = world.synapse.database, world.synapse.sql_value("SELECT version FROM schema_version")
    problems = []
    for statement in all_statements():
        if not statement.fits(version) or statement.own:
            continue
        role = READER if statement.role == "reader" else WRITER
        with closing(as_role(world, role)) as connection, connection.cursor() as cursor:
            values = values_of(cursor, statement)
        variables = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
        files = [part for path in statement.files for part in ("--file", path)]
        try:
            world.postgres.psql(database, *variables, "--command", "BEGIN", *files, "--command", "ROLLBACK", user=role)
        except RuntimeError as refused:
            problems.append(f"{statement.name} as {role}: {refused}")
    assert not problems, "\n".join(problems)


def test_every_report_runs_as_the_reader(world):
    problems = []
    for line in report_lines(world.steward):
        done = world.steward.exec(line.format(room=world.living, media=world.media))
        if done.returncode or "GRANT" in done.stdout:  # a table that is left out for want of a right is no answer either
            problems.append(f"{line}: {done.stdout[-1000:]}{done.stderr[-400:]}")
    assert not problems, "\n".join(problems)


def test_every_dry_run_runs_as_the_writer(world):
    """Vacuum and its like belong to the owner of the tables before PostgreSQL 17, and say so."""
    with world.postgres.connect(world.synapse.database) as connection:
        pid, owners = connection.get_backend_pid(), ("analyze", "vacuum", "vacuum-full", "reindex")
        for name, lines in dry_run_lines(world.steward).items():
            for line in lines:
                done = world.steward.exec(line.format(room=world.living, pid=pid))
                if name in owners and connection.server_version < 170000:
                    assert "own" in done.stdout or "No table would return" in done.stdout, f"{line}: {done.stdout}"
                elif name == "repack":
                    assert "own" in done.stdout or "is not installed in Synapse's database" in done.stdout, f"{line}: {done.stdout}"
                elif name != "db-stop":  # a superuser's process is not theirs to stop
                    assert done.returncode == 0 and "GRANT" not in done.stdout, f"{line}: {done.stdout}{done.stderr}"


# Jobs whose statements are put together in C++.


def dead_rooms(world):
    carol, dave = world.user("carol"), world.user("dave")
    return [world.fill.dead_room(carol, dave, name=f"Dead {number}", messages=20 * number + 2) for number in range(2)]


@pytest.fixture
def small_limit(world):
    """Every room of these tests is a large one."""
    before = world.steward.config().get("rooms", {})
    world.steward.change_config(rooms={"large": 20})
    world.steward.stop()
    world.steward.start()
    yield
    world.steward.change_config(rooms=before)


@pytest.mark.parametrize("method", ["api", "hybrid"])
def test_rooms_are_cleaned_by_the_writer(world, small_limit, method):
    dead = dead_rooms(world)
    card, job = world.carry_out(f"!clean-rooms --older 30d --method {method}")
    assert job["state"] == "done" and "Dead 0" in card
    assert not any(world.synapse.room_exists(room) for room in dead)
    assert not any(world.synapse.leftovers(room) for room in dead)


def test_orphans_are_cleaned_by_the_writer(world):
    sql = world.synapse.sql
    sql("INSERT INTO event_search (event_id, room_id, sender, key, vector) VALUES ('$gone', '!gone', '@x:y', 'content.body', '')")
    sql("INSERT INTO room_depth VALUES ('!gone', 1)")
    card, job = world.carry_out("!clean-orphans")
    assert job["state"] == "done" and "GRANT" not in card, card
    assert not sql("SELECT 1 FROM event_search WHERE event_id = '$gone' UNION ALL SELECT 1 FROM room_depth WHERE room_id = '!gone'")


def test_rooms_are_cleaned_offline_by_the_writer(world):
    dead = dead_rooms(world)
    world.steward.stop()
    world.synapse.stop()
    try:
        done = world.steward.exec("clean-rooms --older 30d --method offline", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        assert not any(world.synapse.room_exists(room) for room in dead)
    finally:
        world.synapse.start()
        world.steward.start()


def test_check_finds_nothing_missing(world):
    said = world.steward.check().stdout
    for role in (READER, WRITER):
        assert f"{role} has every right that the commands need" in said, said


def test_a_missing_right_is_named_with_its_grant(world):
    """By the command that meets it and by the doctor; the GRANT they print is all that it takes."""
    sql = world.synapse.sql
    sql(f"REVOKE SELECT ON destinations FROM {READER}")
    said = world.steward.exec("query failing-servers").stdout
    checked = world.steward.check().stdout
    granted = re.search(rf'GRANT SELECT \([\w, ]+\) ON destinations TO "{READER}"', said)
    assert granted, said
    assert f"{READER} lacks rights on destinations" in checked, checked
    sql(granted.group())
    assert world.steward.exec("query failing-servers").returncode == 0
    apply_grants(world)
    assert f"{READER} has every right" in world.steward.check().stdout


def test_a_superuser_is_warned_of(world):
    before = world.steward.config()["database"]
    world.steward.change_config(database={"reader": world.postgres.url(world.synapse.database, "postgres", PASSWORD)})
    try:
        assert "postgres is a superuser" in world.steward.check().stdout
    finally:
        world.steward.change_config(database=before)
