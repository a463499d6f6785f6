-- What the reports counted, so that the next ones can say what changed.
CREATE TABLE figure (
  taken_at timestamptz NOT NULL DEFAULT now(),
  name text NOT NULL,
  value bigint NOT NULL,
  PRIMARY KEY (taken_at, name)
);
