"""Swollen tables, and somebody else's transactions in the way: what the tests of the vacuum family share."""

import threading


def swell(world):
    """`destinations` grows to 40 000 rows and loses most of them again."""
    world.synapse.sql("ALTER TABLE destinations SET (autovacuum_enabled = off)")
    world.synapse.sql(
        "INSERT INTO destinations (destination, retry_last_ts, retry_interval)"
        " SELECT 'server' || n || '.example' || repeat('x', 100), 0, 0 FROM generate_series(1, 40000) n ON CONFLICT DO NOTHING"
    )
    world.synapse.sql("DELETE FROM destinations WHERE right(split_part(destination, '.', 1), 1) <> '7'")
    world.synapse.sql("ANALYZE destinations")


def total(world, table="destinations"):
    return world.synapse.sql_value("SELECT pg_total_relation_size(%s::regclass)", (table,))


class Holder:
    """Somebody else's transaction: it holds what `statement` takes until it is let go."""

    def __init__(self, world, statement, seconds=None):
        self._connection_of = world.synapse.postgres.connect(world.synapse.database)
        self.connection = self._connection_of.__enter__()
        self.connection.autocommit = False
        self.connection.set_session(isolation_level="REPEATABLE READ")
        cursor = self.connection.cursor()
        cursor.execute("SET application_name = 'somebody else'")
        cursor.execute(statement)
        if seconds:
            threading.Timer(seconds, self.let_go).start()

    def let_go(self):
        self.connection.rollback()
        self._connection_of.__exit__(None, None, None)
