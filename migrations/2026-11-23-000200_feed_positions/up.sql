-- Places in the feeds are given in a table of their own, so that an entry is written once and never again: to number it in its own
-- row wrote all of it and of its indexes a second time. And what waits for a place is a table that is as good as empty, which
-- costs the same to look at however many entries there are.
CREATE TABLE feed_positions (
    workspace_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    position bigint NOT NULL,
    CONSTRAINT feed_positions_pkey PRIMARY KEY (workspace_id, entry_id)
);

-- What the sequencer has yet to number: as much of each entry as it has to know to put them in order.
CREATE TABLE feed_waiting (
    workspace_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    record_kind text NOT NULL,
    record_id uuid NOT NULL,
    version bigint NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT feed_waiting_pkey PRIMARY KEY (workspace_id, entry_id)
);

-- Nothing may be written or numbered between the two.
LOCK TABLE journal IN ACCESS EXCLUSIVE MODE;
INSERT INTO feed_positions (workspace_id, entry_id, position)
SELECT workspace_id, id, position FROM journal WHERE position IS NOT NULL;
-- What was only noted for the audit needs no place.
INSERT INTO feed_waiting (workspace_id, entry_id, record_kind, record_id, version, at)
SELECT workspace_id, id, record_kind, record_id, version, at FROM journal WHERE position IS NULL AND version > 0;

-- The feed of a workspace.
CREATE UNIQUE INDEX feed_positions_unique ON feed_positions (workspace_id, position) INCLUDE (entry_id);
-- The oldest of all workspaces.
CREATE INDEX feed_waiting_index ON feed_waiting (entry_id);

-- With the column go its indexes.
ALTER TABLE journal DROP COLUMN position;
