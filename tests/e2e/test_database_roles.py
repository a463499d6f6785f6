"""The two roles of `steward setup --grants` on a real Synapse's database: reports run as the reader, plans and jobs as the writer,
and neither may more."""

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
    made.start()
    made.synapse.sql("ANALYZE")
    made.living = made.template.live_rooms[0]
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
    with as_role(world, role) as connection, connection.cursor() as cursor:
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
    connection.close()


def test_the_reader_cannot_write_and_the_writer_not_everything(world):
    for role, statements in {
        READER: ["DELETE FROM events", "UPDATE rooms SET is_public = true", "DELETE FROM event_search", "CREATE TABLE public.x (y int)", "SELECT * FROM steward.job"],
        WRITER: ["DELETE FROM users", "UPDATE users SET admin = 1", "UPDATE rooms SET is_public = true", "DELETE FROM devices", "CREATE TABLE public.x (y int)"],
    }.items():  # fmt: skip
        with as_role(world, role) as connection, connection.cursor() as cursor:
            for statement in statements:
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(statement)
                    pytest.fail(f"{role}: {statement}")
        connection.close()


def test_every_statement_runs_as_its_role(world):
    database, version = world.synapse.database, world.synapse.sql_value("SELECT version FROM schema_version")
    problems = []
    for statement in all_statements():
        if not statement.fits(version) or statement.own:
            continue
        role = READER if statement.role == "reader" else WRITER
        with as_role(world, role) as connection, connection.cursor() as cursor:
            values = values_of(cursor, statement)
        connection.close()
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
        done = world.steward.exec(line.format(room=world.living))
        if done.returncode:
            problems.append(f"{line}: {done.stdout[-400:]}{done.stderr[-400:]}")
    assert not problems, "\n".join(problems)


def test_every_dry_run_runs_as_the_writer(world):
    """Vacuum and its like belong to the owner of the tables before PostgreSQL 17, and say so."""
    with world.postgres.connect(world.synapse.database) as connection:
        pid, owners = connection.get_backend_pid(), ("analyze", "vacuum", "vacuum-full", "reindex")
        for name, lines in dry_run_lines(world.steward).items():
            for line in lines:
                done = world.steward.exec(line.format(room=world.living, pid=pid))
                if name in owners and connection.server_version < 170000:
                    assert "owner" in done.stdout, f"{line}: {done.stdout}"
                elif name != "db-stop":  # a superuser's process is not theirs to stop
                    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"


def test_rooms_are_cleaned_by_the_writer(world):
    carol, dave = world.user("carol"), world.user("dave")
    dead = [world.fill.dead_room(carol, dave, name=f"Dead {number}", messages=2) for number in range(2)]
    card, job = world.carry_out("!clean-rooms --older 30d")
    assert job["state"] == "done" and "Dead 0" in card
    assert not any(world.synapse.room_exists(room) for room in dead)
    assert not any(world.synapse.leftovers(room) for room in dead)


def test_check_finds_nothing_missing(world):
    said = world.steward.check().stdout
    for role in (READER, WRITER):
        assert f"{role} has every right that the commands need" in said, said


def test_a_missing_right_is_named_with_its_grant(world):
    """By the command that meets it and by the doctor; the GRANT they print is all that it takes."""
    sql = world.synapse.sql
    sql(f"REVOKE SELECT ON destinations FROM {READER}")
    said = world.steward.exec("status").stdout + world.steward.exec("query failing-servers").stdout
    checked = world.steward.check().stdout
    assert "destinations" in said and "GRANT SELECT (" in said and f'TO "{READER}"' in said, said
    assert f"{READER} lacks rights on destinations" in checked, checked
    grant = said[said.index("GRANT SELECT (", said.rindex("failing") if "failing" in said else 0):]
    sql(grant[: grant.index(";")])
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
