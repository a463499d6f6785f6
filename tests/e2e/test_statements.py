"""Every file of sql/ against Synapse's real schema: the newest supported one, and the oldest."""

import pytest

from support.postgres import PASSWORD
from support.process import ROOT, Unavailable
from support.statements import (
    OWN_SCHEMA, SECRET_COLUMNS, SECRETS_OF_THE_WRITER, all_statements, prepare, rights_path, rights_text, values_of,
)  # fmt: skip
from support.synapse import Synapse

RANGES = {"any", OWN_SCHEMA + " (search_path)"}
# What is told of the newest schema only.
newest_only = pytest.mark.parametrize("schema", ["newest"], indirect=True, scope="module")


@pytest.fixture(scope="module", params=["newest", "oldest"])
def schema(request, postgres, tmp_path_factory):
    """(database, its schema version) as Synapse made it at its first start."""
    name = f"schema_{request.param}"
    try:
        synapse = Synapse(tmp_path_factory.mktemp(name), postgres, name, oldest=request.param == "oldest").start()
    except Unavailable as missing:
        pytest.skip(str(missing))
    synapse.stop()
    postgres.psql(name, "--command", "CREATE SCHEMA steward", *(part for path in migrations() for part in ("--command", "SET search_path = steward", "--file", path)))
    yield name, synapse.sql_value("SELECT version FROM schema_version")
    postgres.drop(name)


def migrations():
    return sorted((ROOT / "sql/schema").glob("*.sql"))


@pytest.fixture
def cursor(schema, postgres):
    """As Synapse's own role, which is not a superuser."""
    with postgres.connect(schema[0], user="synapse", password=PASSWORD) as connection, connection.cursor() as opened:
        opened.execute("SET search_path = public, steward")
        yield opened


def test_there_are_statements():
    assert len(all_statements()) > 100
    assert {statement.role for statement in all_statements()} == {"reader", "writer"}


def test_ranges_are_understood():
    for statement in all_statements():
        if statement.schema in RANGES:
            continue
        lowest, highest = map(int, statement.schema.split("-"))
        assert 84 <= lowest <= highest <= 94, f"{statement.name}: {statement.schema}"


def test_every_statement_of_this_schema_is_prepared_and_run_by_hand(schema, cursor, postgres):
    """psql runs the file as it stands, in a transaction that is rolled back; what the reader runs cannot write there."""
    database, version = schema
    problems, run = [], 0
    for statement in all_statements():
        if not statement.fits(version):
            continue
        try:
            values = values_of(cursor, statement)
            settings = "-c search_path=public,steward -c statement_timeout=20s"
            if statement.role == "reader":
                settings += " -c default_transaction_read_only=on"
            variables = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
            files = [part for path in statement.files for part in ("--file", path)]
            postgres.psql(database, *variables, "--command", "BEGIN", *files, "--command", "ROLLBACK", options=settings)
            run += 1
        except Exception as problem:  # noqa: BLE001 - all of them are told at once
            problems.append(f"{statement.name} on schema {version}: {problem}")
    assert not problems, "\n".join(problems)
    assert run > 90


def test_a_range_starts_where_the_statement_can_run(schema, cursor):
    """A statement that begins later than this schema, though it would run: its range is narrower than the truth."""
    _, version = schema
    excluded = [statement for statement in all_statements() if not statement.fits(version)]
    could = []
    for statement in excluded:
        try:
            prepare(cursor, statement)
            could.append(statement.name)
        except Exception as refused:  # noqa: BLE001
            assert getattr(refused, "pgcode", "") in ("42P01", "42703", "42883"), f"{statement.name}: {refused}"
    # Steps of state compression, which as a whole needs the tables of schema 89.
    assert all(name.startswith("state_") for name in could), could


# Rights.


@newest_only
def test_the_rights_are_those_of_the_statements(schema, cursor):
    _, version = schema
    assert rights_text(cursor, version) == rights_path().read_text(), "sql/rights.tsv is stale: run scripts/sql-rights"


def rights():
    """(role, privilege, table, columns) of every line of rights.tsv."""
    role = {statement.name: statement.role for statement in all_statements()}
    for line in rights_path().read_text().splitlines()[1:]:
        name, privilege, table, *columns = line.split("\t")
        yield role[name], privilege, table, columns[0].split() if columns else []


def test_no_secret_is_among_the_rights():
    for role, privilege, table, columns in rights():
        secrets = set(SECRET_COLUMNS.get(table, ())) & set(columns)
        if role == "writer":
            secrets -= {column for secret, column in SECRETS_OF_THE_WRITER if secret == table}
        assert not secrets, f"{role} would read {table}: {secrets}"
        assert privilege != "SELECT" or columns, f"{table} would be readable as a whole"
        assert role == "writer" or privilege == "SELECT"


@newest_only
def test_the_list_of_secrets_is_of_this_schema(schema, cursor):
    """A renamed column would leave the list, and the test above would hold nothing."""
    cursor.execute("SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public'")
    columns = set(cursor.fetchall())
    missing = [(table, column) for table, names in SECRET_COLUMNS.items() for column in names if (table, column) not in columns]
    assert not missing
