"""Fills a server: people, living and abandoned rooms, media with old access times. What the API can do is done by the API;
only ages are set by SQL, and copy_rooms() multiplies a real room by SQL where the API would take minutes."""

import json
import os
import secrets
import time

import psycopg2.extras

DAY = 86_400_000

# Not copied with a room: queues and logs whose order belongs to the server, and what only one room can have.
NOT_COPIED = {
    "current_state_delta_stream", "stream_ordering_to_exterm", "ex_outlier_stream", "room_aliases", "blocked_rooms",
    "scheduled_tasks", "event_push_actions_staging", "receipts_linearized", "receipts_graph", "application_services_txns",
    "user_daily_visits", "device_lists_changes_in_room", "event_reports", "room_reports",
}  # fmt: skip
# Columns that hold numbers of a sequence: every copy needs fresh ones.
SEQUENCES = {
    "state_group": "state_group_id_seq", "prev_state_group": "state_group_id_seq",
    "chain_id": "event_auth_chain_id", "origin_chain_id": "event_auth_chain_id", "target_chain_id": "event_auth_chain_id",
    "stream_ordering": "events_stream_seq", "event_stream_ordering": "events_stream_seq", "bump_stamp": "events_stream_seq",
}  # fmt: skip


def now_ms():
    return int(time.time() * 1000)


class Filler:
    """Works on one running Synapse; all that it makes can be deleted by the bot."""

    def __init__(self, synapse):
        self.synapse = synapse

    # Rooms.

    def room(self, owner, *members, name=None, messages=0, **content):
        """A living room with its members joined and some messages."""
        synapse = self.synapse
        if name:
            content["name"] = name
        room = synapse.create_room(owner, invite=[member.user_id for member in members], **content)
        for member in members:
            synapse.join(member, room)
        people = [owner, *members]
        for number in range(messages):
            synapse.send(people[number % len(people)], room, f"message {number} of {name or room}")
        return room

    def dead_room(self, owner, *members, age_days=90, forget=True, **how):
        """A room that everybody left (and forgot), its events received `age_days` ago."""
        room = self.room(owner, *members, **how)
        for member in [*members, owner]:
            self.synapse.leave(member, room, forget)
        self.age_room(room, age_days)
        return room

    def age_room(self, room, days):
        self.synapse.sql("UPDATE events SET received_ts = %s WHERE room_id = %s", (now_ms() - days * DAY, room))

    def copy_rooms(self, room, count):
        """`count` copies of a room with all its rows, with event ids that Synapse itself would compute; the new room ids."""
        with self.synapse.postgres.connect(self.synapse.database) as connection:
            connection.autocommit = False
            copier = _RoomCopier(connection, self.synapse, room)
            start = secrets.randbelow(10**9)  # copies of one room at several times must differ
            copies = [copier.copy(start + number) for number in range(1, count + 1)]
            copier.write()
            connection.commit()
        return copies

    def more_events(self, room, count):
        """`count` older messages in a room, by SQL: the newest message with other ids, each before the one before, at places
        of back-filled events, which Synapse's streams do not go through."""
        event, depth = self.synapse.sql(
            "SELECT event_id, depth FROM events WHERE room_id = %s AND type = 'm.room.message' ORDER BY stream_ordering DESC LIMIT 1", (room,)
        )[0]
        first = self.synapse.sql_value("SELECT least(min(stream_ordering), 0) FROM events")
        numbers = {"event": event, "count": count, "room": room, "depth": depth, "first": first}
        for statement in (
            "INSERT INTO events (topological_ordering, event_id, type, room_id, processed, outlier, depth, origin_server_ts, received_ts,"
            " sender, contains_url, instance_name, stream_ordering) SELECT %(depth)s, '$more' || n || %(room)s, e.type, e.room_id, e.processed,"
            " e.outlier, %(depth)s, e.origin_server_ts, e.received_ts, e.sender, e.contains_url, e.instance_name, %(first)s - n"
            " FROM events e, generate_series(1, %(count)s) n WHERE e.event_id = %(event)s",
            "INSERT INTO event_json SELECT '$more' || n || %(room)s, j.room_id, j.internal_metadata, j.json, j.format_version"
            " FROM event_json j, generate_series(1, %(count)s) n WHERE j.event_id = %(event)s",
            "INSERT INTO event_edges (event_id, prev_event_id, is_state) SELECT '$more' || n || %(room)s,"
            " '$more' || (n + 1) || %(room)s, false FROM generate_series(1, %(count)s - 1) n",
            "INSERT INTO event_auth (event_id, auth_id, room_id) SELECT '$more' || n || %(room)s, a.auth_id, a.room_id"
            " FROM event_auth a, generate_series(1, %(count)s) n WHERE a.event_id = %(event)s",
            "INSERT INTO event_to_state_groups SELECT '$more' || n || %(room)s, g.state_group"
            " FROM event_to_state_groups g, generate_series(1, %(count)s) n WHERE g.event_id = %(event)s",
            "INSERT INTO event_search SELECT '$more' || n || %(room)s, s.room_id, s.sender, s.key, s.vector, s.origin_server_ts, %(first)s - n"
            " FROM event_search s, generate_series(1, %(count)s) n WHERE s.event_id = %(event)s",
            "SELECT setval('events_backfill_stream_seq', %(count)s - %(first)s)",
        ):
            self.synapse.sql(statement, numbers)

    # Media.

    def media(self, user, count=1, size=1000, age_days=60, filename=None, content_type="application/octet-stream"):
        """Uploads of random bytes, last accessed `age_days` ago (None: never accessed, made that long ago)."""
        made = [
            self.synapse.upload(user, os.urandom(size), content_type, filename or f"file-{number}.bin")
            for number in range(count)
        ]
        self.age_media(made, age_days)
        return made

    def age_media(self, media_ids, days, accessed=True):
        then = now_ms() - days * DAY
        self.synapse.sql(
            "UPDATE local_media_repository SET created_ts = %s, last_access_ts = %s WHERE media_id = ANY(%s)",
            (then, then if accessed else None, list(media_ids)),
        )

    def avatar(self, user, age_days=60, size=2000):
        """A profile picture that nobody looked at for a while: kept by every purge."""
        (media_id,) = self.media(user, size=size, age_days=age_days, filename="avatar.png", content_type="image/png")
        self.synapse.client(
            "PUT", f"/profile/{user.user_id}/avatar_url", {"avatar_url": f"mxc://{self.synapse.server_name}/{media_id}"}, user
        )
        return media_id

    def quarantine(self, media_id):
        self.synapse.admin("POST", f"/v1/media/quarantine/{self.synapse.server_name}/{media_id}", {})

    def protect(self, media_id):
        self.synapse.admin("POST", f"/v1/media/protect/{media_id}", {})

    def remote_media(self, origin="far.example", count=1, size=1000, age_days=60, quarantined=False):
        """Cached media of another server: rows and files as Synapse's download leaves them; the media ids."""
        made = []
        for _ in range(count):
            media_id, file_id = secrets.token_hex(12), secrets.token_urlsafe(18).replace("-", "x").replace("_", "y")
            path = self.synapse.media_path / "remote_content" / origin / file_id[0:2] / file_id[2:4] / file_id[4:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(size))
            then = now_ms() - age_days * DAY
            self.synapse.sql(
                "INSERT INTO remote_media_cache (media_origin, media_id, media_type, created_ts, upload_name, media_length,"
                " filesystem_id, last_access_ts, quarantined_by) VALUES (%s,%s,'application/octet-stream',%s,'r.bin',%s,%s,%s,%s)",
                (origin, media_id, then, size, file_id, then, "@harness:hs.test" if quarantined else None),
            )
            made.append(media_id)
        return made

    def snapshot(self):
        """What a purge may change: rows and bytes of media, files on disk, rooms. For before/after checks."""
        local = self.synapse.sql("SELECT count(*), coalesce(sum(media_length), 0) FROM local_media_repository")[0]
        remote = self.synapse.sql("SELECT count(*), coalesce(sum(media_length), 0) FROM remote_media_cache")[0]
        files = self.synapse.media_files()
        return {
            "rooms": self.synapse.sql_value("SELECT count(*) FROM rooms"),
            "events": self.synapse.sql_value("SELECT count(*) FROM events"),
            "local media": int(local[0]), "local media bytes": int(local[1]),
            "remote media": int(remote[0]), "remote media bytes": int(remote[1]),
            "media files": files[0], "media file bytes": files[1],
        }  # fmt: skip


class _RoomCopier:
    """Multiplies the rows of one room. Every text that equals an old id becomes the new id; numbers come from their sequences."""

    def __init__(self, connection, synapse, room):
        from signedjson.key import read_signing_keys
        from synapse.api.room_versions import KNOWN_ROOM_VERSIONS

        self.cursor = connection.cursor()
        self.room = room
        self.server_name = synapse.server_name
        with open(synapse.folder / "signing.key") as file:
            self.key = read_signing_keys(file)[0]
        self.version = KNOWN_ROOM_VERSIONS[self._query("SELECT room_version FROM rooms WHERE room_id = %s", room)[0][0]]
        self.events = [
            (event_id, json.loads(text))
            for event_id, text in self._query(
                "SELECT e.event_id, j.json FROM events e JOIN event_json j USING (event_id) WHERE e.room_id = %s"
                " ORDER BY e.stream_ordering",
                room,
            )
        ]
        self.tables = self._rows()
        self.fresh = {table: [] for table in self.tables}

    def _query(self, statement, *values):
        self.cursor.execute(statement, values)
        return self.cursor.fetchall()

    def _rows(self):
        """{table: (columns, rows as text)} of everything that belongs to the room."""
        event_ids = [event_id for event_id, _ in self.events]
        groups = [group for (group,) in self._query("SELECT id::text FROM state_groups WHERE room_id = %s", self.room)]
        chains = [
            chain
            for (chain,) in self._query("SELECT DISTINCT chain_id::text FROM event_auth_chains WHERE event_id = ANY(%s)", event_ids)
        ]
        belongs = {"room_id": [self.room], "event_id": event_ids, "state_group": groups, "origin_chain_id": chains}
        catalogue = self._query(
            "SELECT c.table_name::text, array_agg(c.column_name::text ORDER BY c.ordinal_position)"
            " FROM information_schema.columns c JOIN pg_tables t ON t.tablename = c.table_name AND t.schemaname = 'public'"
            " WHERE c.table_schema = 'public' AND c.is_generated = 'NEVER' GROUP BY 1"
        )
        tables = {}
        for table, columns in catalogue:
            matching = [column for column in belongs if column in columns]
            if table in NOT_COPIED or not matching:
                continue
            rows = self._query(
                "SELECT {} FROM {} WHERE {}".format(
                    ", ".join(f'"{column}"::text' for column in columns), f'"{table}"',
                    " OR ".join(f'"{column}"::text = ANY(%s)' for column in matching),
                ),
                *(belongs[column] for column in matching),
            )  # fmt: skip
            if rows:
                tables[table] = (columns, rows)
        return tables

    def copy(self, number):
        """Prepares one copy: makes its events, maps every row; the new room id."""
        texts, jsons = self._events(number)
        numbers = {}
        for table, (columns, rows) in self.tables.items():
            for row in rows:
                self.fresh[table].append([
                    self._value(table, column, value, texts, numbers, jsons, row, columns)
                    for column, value in zip(columns, row)
                ])  # fmt: skip
        return texts[self.room]

    def _events(self, number):
        """({old id: new id}, {new event id: its JSON}). The create event's time moves, so every hash after it differs."""
        from synapse.crypto.event_signing import add_hashes_and_signatures
        from synapse.events import make_event_from_dict

        texts, jsons = {}, {}
        for old_id, old in self.events:
            event = {key: value for key, value in old.items() if key not in ("hashes", "signatures", "unsigned")}
            if event["type"] == "m.room.create" and "state_key" in event:
                event["origin_server_ts"] -= number
                if self.version.msc4291_room_ids_as_hashes:
                    event.pop("room_id", None)
                else:
                    texts[self.room] = f"!{secrets.token_hex(9)}:{self.server_name}"
            if "room_id" in event:
                event["room_id"] = texts[self.room]
            for link in ("prev_events", "auth_events"):
                event[link] = [texts[linked] for linked in event[link]]
            add_hashes_and_signatures(self.version, event, self.server_name, self.key)
            new_id = make_event_from_dict(event, self.version).event_id
            if event["type"] == "m.room.create" and self.version.msc4291_room_ids_as_hashes:
                texts[self.room] = "!" + new_id[1:]
            texts[old_id] = new_id
            jsons[new_id] = json.dumps(event)
        return texts, jsons

    def _value(self, table, column, value, texts, numbers, jsons, row, columns):
        if value is None:
            return None
        if table == "event_json" and column == "json":
            return jsons[texts[row[columns.index("event_id")]]]
        sequence = SEQUENCES.get(column) or ("state_group_id_seq" if (table, column) == ("state_groups", "id") else None)
        if sequence:
            key = (sequence, value)
            if key not in numbers:
                numbers[key] = str(self._query(f"SELECT nextval('{sequence}')")[0][0])
            return numbers[key]
        return texts.get(value, value)

    def write(self):
        """Inserts everything; `events` and `rooms` first because others point at them."""
        first = ("rooms", "state_groups", "events")
        for table in [*(table for table in first if table in self.tables), *(table for table in self.tables if table not in first)]:
            columns = ", ".join(f'"{column}"' for column in self.tables[table][0])
            psycopg2.extras.execute_values(
                self.cursor, f'INSERT INTO "{table}" ({columns}) VALUES %s', self.fresh[table], page_size=500
            )
