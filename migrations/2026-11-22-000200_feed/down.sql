DROP INDEX journal_waiting_index;
ALTER TABLE feed_heads DROP COLUMN tail;
