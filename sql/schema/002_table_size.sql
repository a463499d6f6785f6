-- How large each table of Synapse's database was, a row per table and day (UTC); the empty name is the whole database.
CREATE TABLE table_size (
  day date NOT NULL,
  name text NOT NULL,
  bytes bigint NOT NULL,
  rows bigint,  -- the planner's estimate; NULL: never analysed
  taken_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (day, name)
);
