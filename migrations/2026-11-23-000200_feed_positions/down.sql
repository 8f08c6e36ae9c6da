LOCK TABLE journal, feed_waiting, feed_positions IN ACCESS EXCLUSIVE MODE;
ALTER TABLE journal ADD COLUMN position bigint;
UPDATE journal SET position = place.position FROM feed_positions AS place
 WHERE place.workspace_id = journal.workspace_id AND place.entry_id = journal.id;
CREATE UNIQUE INDEX journal_position_unique ON journal (workspace_id, position) WHERE position IS NOT NULL;
CREATE INDEX journal_unnumbered_index ON journal (id) WHERE position IS NULL;
CREATE INDEX journal_waiting_index ON journal (workspace_id, at) WHERE position IS NULL;
DROP TABLE feed_waiting;
DROP TABLE feed_positions;
