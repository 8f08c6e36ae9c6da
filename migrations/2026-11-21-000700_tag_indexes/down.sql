ALTER INDEX companies_tags_index SET (fastupdate = off);
ALTER INDEX contacts_tags_index SET (fastupdate = off);
ALTER INDEX companies_tags_index RESET (gin_pending_list_limit);
ALTER INDEX contacts_tags_index RESET (gin_pending_list_limit);
-- What is pending stays pending until somebody merges it.
SELECT gin_clean_pending_list('companies_tags_index'), gin_clean_pending_list('contacts_tags_index');
