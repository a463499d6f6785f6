"""Millions of rows in a real Synapse's schema, made by SQL set by set: what --database and --latency measure on.

Texts of the copies' events are the first room's: Synapse itself should not have to read them.
"""

from contextlib import contextmanager

from support.fill import DAY, NOT_COPIED, SEQUENCES, now_ms

# Rows belong to a room by one of these columns.
BELONGS = ("room_id", "event_id", "state_group", "origin_chain_id")
COLUMNS = (
    "SELECT c.table_name::text, array_agg(ARRAY[c.column_name::text, c.data_type::text] ORDER BY c.ordinal_position)"
    " FROM information_schema.columns c JOIN pg_tables t ON t.tablename = c.table_name AND t.schemaname = 'public'"
    " WHERE c.table_schema = 'public' AND c.is_generated = 'NEVER' AND c.is_identity = 'NO' GROUP BY 1"
)  # fmt: skip
INDEXES = (
    "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
    " WHERE c.relname = ANY (%s) AND c.relnamespace = 'public'::regnamespace AND NOT i.indisreplident"
    " AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)"
)  # fmt: skip
LARGE = ["events", "event_json", "event_auth", "event_edges", "event_to_state_groups", "event_search", "state_events", "event_auth_chains",
         "state_groups_state", "room_memberships", "current_state_events", "local_media_repository", "remote_media_cache"]  # fmt: skip


@contextmanager
def quick_tables(postgres, database):
    """The large tables without the indexes that no constraint needs; these are built again at the end, all rows at once."""
    with postgres.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(INDEXES, (LARGE,))
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        yield
        for _, definition in indexes:
            cursor.execute(definition)


class Many:
    """Works on the database of a stopped Synapse."""

    def __init__(self, world):
        self.postgres, self.database, self.synapse = world.postgres, world.name, world.synapse

    def run(self, *statements, values=None):
        """As the superuser, without the checks of foreign keys."""
        with self.postgres.connect(self.database) as connection, connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            for statement in statements:
                cursor.execute(statement, values)

    def rooms(self, room, count):
        """`count` copies of a room with all its rows: its ids with the copy's number behind them, numbers of sequences fresh."""
        query = self.synapse.sql
        start = query("SELECT count(*) FROM rooms")[0][0]
        events = [event for (event,) in query("SELECT event_id FROM events WHERE room_id = %s", (room,))]
        groups = [group for (group,) in query("SELECT id FROM state_groups WHERE room_id = %s", (room,))]
        chains = [chain for (chain,) in query("SELECT DISTINCT chain_id FROM event_auth_chains WHERE event_id = ANY (%s)", (events,))]
        numbers = {
            "state_group_id_seq": groups,
            "event_auth_chain_id": chains,
            "events_stream_seq": [at for (at,) in query("SELECT stream_ordering FROM events WHERE room_id = %s", (room,))],
        }
        # A copy's number is the first room's, moved by `base` and once more by `span` for each copy.
        moved = {}
        for sequence, used in numbers.items():
            last = query(f"SELECT nextval('{sequence}')")[0][0]
            moved[sequence] = (last - min(used), max(used) - min(used) + 1)
            query(f"SELECT setval('{sequence}', %s)", (last + moved[sequence][1] * count,))
        values = {"room": room, "ids": [room, *events], "start": start, "count": count,
                  "room_id": [room], "event_id": events, "state_group": groups, "origin_chain_id": chains}  # fmt: skip
        for table, columns in query(COLUMNS):
            names = [name for name, _ in columns]
            belongs = [name for name in BELONGS if name in names]
            if table in NOT_COPIED or not belongs:
                continue
            listed = ", ".join(f'"{name}"' for name in names)
            of_room = " OR ".join(f'"{name}" = ANY (%({name})s)' for name in belongs)
            fresh = ", ".join(_fresh(table, name, kind, moved) for name, kind in columns)
            self.run(f'INSERT INTO "{table}" ({listed}) SELECT {fresh} FROM "{table}" t, generate_series(1, %(count)s) n WHERE {of_room}', values=values)

    def media(self, count, users=1000, servers=200):
        """Rows of uploads (two thirds) and of other servers' media (a third), up to 400 days old, last opened in between; no files."""
        values = {"count": count, "users": users, "servers": servers, "now": now_ms(), "day": DAY}
        self.run(
            "INSERT INTO local_media_repository (media_id, media_type, media_length, created_ts, upload_name, user_id, last_access_ts)"
            " SELECT md5('l' || n), (ARRAY['image/jpeg', 'image/png', 'video/mp4', 'application/pdf'])[1 + n %% 4], 1000 + n::bigint * 7919 %% 5000000,"
            " %(now)s - (n %% 400) * %(day)s::bigint, n || '.bin', '@user' || n %% %(users)s || ':hs.test',"
            " CASE WHEN n %% 3 > 0 THEN %(now)s - (n::bigint * 31 %% (n %% 400 + 1)) * %(day)s::bigint END FROM generate_series(1, %(count)s * 2 / 3) n",
            "INSERT INTO remote_media_cache (media_origin, media_id, media_type, created_ts, upload_name, media_length, filesystem_id, last_access_ts)"
            " SELECT 'server' || n %% %(servers)s || '.example', md5('r' || n), (ARRAY['image/jpeg', 'video/mp4'])[1 + n %% 2], %(now)s - (n %% 400) * %(day)s::bigint,"
            " n || '.bin', 1000 + n::bigint * 7919 %% 5000000, md5('f' || n), %(now)s - (n::bigint * 31 %% (n %% 400 + 1)) * %(day)s::bigint"
            " FROM generate_series(1, %(count)s / 3) n",
            values=values,
        )

    def redactions(self, count, room=None):
        """`count` messages (of a room) were redacted and censored by Synapse; their words are still in the search index."""
        self.run(
            "CREATE TEMP TABLE redacted AS SELECT event_id FROM event_search"
            " WHERE key = 'content.body' AND (%(room)s::text IS NULL OR room_id = %(room)s) LIMIT %(count)s",
            "INSERT INTO redactions (event_id, redacts, have_censored, received_ts)"
            " SELECT event_id || 'redaction', event_id, true, %(then)s FROM redacted",
            "UPDATE event_json j SET json = jsonb_set(j.json::jsonb, '{content}', '{}')::text FROM redacted r WHERE r.event_id = j.event_id",
            values={"count": count, "room": room, "then": now_ms() - 60 * DAY},
        )

    def long_states(self, rooms, member, keys=1500, groups=4000, full=33):
        """Rooms with `groups` state groups that each change one of `keys`, every `full`th stored in full; `member` is joined there."""
        for number in range(rooms):
            first = self.synapse.sql_value("SELECT setval('state_group_id_seq', nextval('state_group_id_seq') + %s)", (groups,)) - groups
            self.run(
                "INSERT INTO rooms (room_id, is_public, creator, room_version) VALUES (%(room)s, false, %(member)s, '10')",
                "INSERT INTO local_current_membership (room_id, user_id, event_id, membership) VALUES (%(room)s, %(member)s, '$in' || %(room)s, 'join')",
                "INSERT INTO state_groups (id, room_id, event_id) SELECT %(first)s + g, %(room)s, '$e' || %(first)s + g FROM generate_series(1, %(groups)s) g",
                "INSERT INTO state_group_edges (state_group, prev_state_group) SELECT %(first)s + g, %(first)s + g - 1"
                " FROM generate_series(1, %(groups)s) g WHERE g %% %(full)s <> 1",
                "INSERT INTO state_groups_state (state_group, room_id, type, state_key, event_id)"
                " SELECT %(first)s + g, %(room)s, 'm.room.member', '@u' || k || ':far.example', '$m' || k || '_' || (g - k + %(keys)s) / %(keys)s || %(room)s"
                " FROM generate_series(1, %(groups)s) g, generate_series(1, %(keys)s) k WHERE g %% %(full)s = 1 OR (g - k) %% %(keys)s = 0",
                values={"room": f"!states{number}:hs.test", "member": member, "first": first, "groups": groups, "keys": keys, "full": full},
            )

    def orphan(self, room):
        """Takes away the room and its events, and leaves all that belongs to them, as an old clean-up script did."""
        self.run("DELETE FROM events WHERE room_id = %(room)s", "DELETE FROM rooms WHERE room_id = %(room)s", values={"room": room})


def _fresh(table, column, kind, moved):
    """The expression of one column of a copy."""
    sequence = SEQUENCES.get(column) or ("state_group_id_seq" if (table, column) == ("state_groups", "id") else None)
    if sequence:
        base, span = moved[sequence]
        return f't."{column}" + {base} + {span}::bigint * (n - 1)'
    if kind == "text":
        return f"""CASE WHEN t."{column}" = ANY (%(ids)s) THEN t."{column}" || 'n' || (%(start)s + n) ELSE t."{column}" END"""
    return f't."{column}"'
