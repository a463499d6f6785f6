"""The files of sql/ as a reader runs them by hand, and what each needs of a database. Used by tests/e2e/test_statements.py,
tests/e2e/test_database_roles.py and scripts/sql-rights."""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .process import ROOT

sys.path.insert(0, str(ROOT / "cmake"))
from embed import RIGHTS_FILE, header_of, number_parameters, role_of, without_header  # noqa: E402

# What no role that only reports may ever see (facts of Synapse's schema, not of this program).
SECRET_COLUMNS = {
    "access_tokens": ("token",), "refresh_tokens": ("token",), "login_tokens": ("token",), "open_id_tokens": ("token",),
    "user_ips": ("access_token", "ip", "user_agent"), "users": ("password_hash",), "registration_tokens": ("token",),
    "threepid_validation_token": ("token",), "threepid_guest_access_tokens": ("medium", "address", "guest_access_token", "first_inviter"),
    "ui_auth_sessions": ("clientdict", "serverdict"), "sessions": ("value",), "account_data": ("content",), "room_account_data": ("content",),
    "event_json": ("json", "internal_metadata"), "device_inbox": ("message_json",), "pushers": ("pushkey",), "e2e_room_keys": ("session_data",),
    "event_search": ("vector",), "dehydrated_devices": ("device_data",), "device_federation_outbox": ("messages_json",),
}  # fmt: skip
# A plan or job that has to parse an event needs the event, and then the writing role has it.
SECRETS_OF_THE_WRITER = {("event_json", "json")}
OWN_SCHEMA = "the bot's own"  # in the header's schema line: a statement over the bot's own tables


@dataclass
class Statement:
    """One file: its header's fields, its text with $1 …, the names of its parameters."""

    path: Path
    schema: str
    role: str  # reader or writer
    text: str
    parameters: list = field(default_factory=list)
    names: dict = field(default_factory=dict)  # of a file that serves several tables: what stands for its :"name"s here
    after: str = ""  # the file that must run before it in the same transaction

    @property
    def name(self):
        return self.path.stem

    @property
    def own(self):
        return self.schema.startswith(OWN_SCHEMA)

    @property
    def files(self):
        """What psql runs, in this order."""
        return [*([self.path.with_stem(self.after)] if self.after else []), self.path]

    @property
    def query(self):
        """What can be prepared of it: the query of a cursor, nothing of what only works on one."""
        return re.sub(r"^DECLARE .*? CURSOR FOR\s+", "", "SELECT" if self.text.startswith("FETCH ") else self.text, count=1, flags=re.S)

    def fits(self, version):
        """Whether the header's range has that version of Synapse's schema."""
        if self.own or self.schema == "any":
            return True
        lowest, highest = map(int, self.schema.split("-"))
        return lowest <= version <= highest


TABLE = re.compile(r"(\w+) \((\w+) (\w+)(?: since (\d+))?\)")


def read_statements(path):
    """A file that serves several tables is one statement for each: its header's line "tables: name (key type), …" has them."""
    text = path.read_text(encoding="utf-8")
    header = header_of(path, text)
    schema = next(line for line in header if line.startswith("schema:")).removeprefix("schema:").strip()
    body, parameters = number_parameters(without_header(text))
    role = role_of(path, header, body)
    body = body.rstrip().rstrip(";")
    tables = next((line for line in header if line.startswith("tables:")), None)
    after = next((line.removeprefix("after:").strip() for line in header if line.startswith("after:")), "")
    if tables is None:
        return [Statement(path, schema, role, body, parameters, after=after)]
    statements = []
    for table, key, kind, since in TABLE.findall(tables):
        names = {"table": table, "key": key, "type": kind}
        named = re.sub(r':"(\w+)"', lambda match, names=names: names[match.group(1)], body)
        statements.append(Statement(path, f"{since}-{schema.split('-')[1]}" if since else schema, role, named, parameters, names))
    return statements


def all_statements():
    return [statement for path in sorted((ROOT / "sql").glob("*.sql")) for statement in read_statements(path)]


def prepare(cursor, statement):
    """Prepares it and throws it away; the types of its parameters as the server names them."""
    cursor.execute(f"PREPARE probe AS {statement.query.replace('%', '%%')}", ())
    cursor.execute("SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'probe'")
    (types,) = cursor.fetchone()
    cursor.execute("DEALLOCATE probe")
    return types


# A value for a parameter of that type, as it stands behind psql's -v; by name where any value will not do.
VALUES = {"text": "x", "text[]": "{x}", "bigint": "1", "integer": "1", "boolean": "true", "bigint[]": "{1}", "integer[]": "{1}"}
NAMED_VALUES = {"pid": "0", "after": "1", "until": "1", "groups": "{}", "row_groups": "{}", "types": "{}", "state_keys": "{}", "events": "{}", "edge_groups": "{}", "predecessors": "{}"}


def values_of(cursor, statement):
    """{psql variable: a value} to run it by hand."""
    types = prepare(cursor, statement)
    first = [read_statements(path)[0] for path in statement.files[:-1]]
    before = {name: value for each in first for name, value in values_of(cursor, each).items()}
    return before | statement.names | {name: NAMED_VALUES.get(name, VALUES[kind]) for name, kind in zip(statement.parameters, types)}


# Rights: which columns of Synapse's tables a statement touches, asked of PostgreSQL itself.

# The server notes what the body of an SQL function depends on, column by column, for writing statements too.
DEPENDENCIES = """
    SELECT c.relname, a.attname
    FROM pg_depend d
    JOIN pg_class c ON c.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid AND d.refobjsubid <> 0
    WHERE d.classid = 'pg_proc'::regclass AND d.objid = %s::regprocedure
      AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'S')"""
COMMENT = re.compile(r"--[^\n]*")
CHANGE = re.compile(r"\b(?:(DELETE) FROM|(UPDATE)(?! OF\b)|(INSERT) INTO)\s+(\w+)")
ROW_LOCK = re.compile(r"\bFOR (?:NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)(?: OF (\w+))?")
NESTED = re.compile(r"\([^()]*\)")  # the innermost


def assigned(text, table):
    """The columns that its UPDATE of that table sets."""
    rest = re.search(rf"\bUPDATE {table}(?: \w+)? SET\s+(.*)", text, re.S).group(1)
    while NESTED.search(rest):
        rest = NESTED.sub("", rest)
    assignments = re.split(r"\bWHERE\b|\bFROM\b|\bRETURNING\b|\)", rest)[0]
    return [each.split("=")[0].strip() for each in assignments.split(",")]


def changes(statement, last_column):
    """{(privilege, table): columns} beyond reading; no columns: the whole table. A row lock needs UPDATE on any one column:
    the last, which is never a key."""
    text = COMMENT.sub("", statement.text)
    found = {}
    for match in CHANGE.finditer(ROW_LOCK.sub("", text)):
        privilege, table = next(filter(None, match.groups()[:3])), match.group(4)
        found[(privilege, table)] = assigned(text, table) if privilege == "UPDATE" else []
    for match in ROW_LOCK.finditer(text):
        alias = match.group(1)
        table = re.search(rf"\b(?:FROM|JOIN) (\w+)(?: AS)? {alias}\b", text).group(1) if alias else re.search(r"\bFROM (\w+)", text).group(1)
        found.setdefault(("UPDATE", table), [last_column(table)])
    return found


def rights_of(cursor, statement):
    """{(privilege, table): sorted columns}; no columns: the whole table."""
    types = prepare(cursor, statement)
    arguments = ", ".join(types)
    cursor.execute(f"CREATE FUNCTION pg_temp.probe({arguments}) RETURNS void BEGIN ATOMIC {statement.query}; END".replace("%", "%%"), ())
    cursor.execute(DEPENDENCIES, (f"pg_temp.probe({arguments})",))
    read = {}
    for table, column in cursor.fetchall():
        columns = read.setdefault(("SELECT", table), set())
        if column:
            columns.add(column)
    cursor.execute(f"DROP FUNCTION pg_temp.probe({arguments})")

    def column(table, order):
        cursor.execute(
            "SELECT a.attname FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"
            f" ORDER BY {order} LIMIT 1", (f"public.{table}",),
        )  # fmt: skip
        return cursor.fetchone()[0]

    rights = {key: sorted(columns) for key, columns in read.items()}
    for (privilege, table), columns in rights.items():
        if privilege == "SELECT" and not columns:  # count(*): any one column will do, so the first of the key
            columns.append(column(table, "a.attname = 'room_id' DESC, a.attnum"))
    return rights | changes(statement, lambda table: column(table, "a.attnum DESC"))


def rights_text(cursor, version):
    """The content of sql/rights.tsv on that database."""
    lines = ["# statement, privilege, table, columns. Written by scripts/sql-rights from the newest Synapse's schema; do not edit."]
    needed = {}
    for statement in all_statements():
        if statement.own or not statement.fits(version):
            continue
        for (privilege, table), columns in rights_of(cursor, statement).items():
            needed.setdefault((statement.name, privilege, table), set()).update(columns)
    for key, columns in sorted(needed.items()):
        lines.append("\t".join([*key, " ".join(sorted(columns))]).rstrip())
    return "\n".join(lines) + "\n"


def rights_path():
    return ROOT / "sql" / RIGHTS_FILE
