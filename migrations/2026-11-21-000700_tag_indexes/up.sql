-- The few tags that everybody has are one long list each, in which entry by entry a row costs 20 µs; merged out of a
-- pending list the cost is lost in the noise. Whoever looks for a tag reads the whole list, so it is kept at 256 kB, which
-- costs less than a millisecond.
ALTER INDEX companies_tags_index SET (fastupdate = on, gin_pending_list_limit = 256);
ALTER INDEX contacts_tags_index SET (fastupdate = on, gin_pending_list_limit = 256);
