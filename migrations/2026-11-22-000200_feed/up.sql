-- The first position that the feed of a workspace still serves. What is before it stays in the histories of the records.
ALTER TABLE feed_heads ADD COLUMN tail bigint NOT NULL DEFAULT 1;

-- What waits for a position in a workspace, the oldest first: how far the feed is behind.
CREATE INDEX journal_waiting_index ON journal (workspace_id, at) WHERE position IS NULL;
