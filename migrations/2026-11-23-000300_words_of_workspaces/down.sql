CREATE FUNCTION words_of(folded text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL UNSAFE AS $$
    SELECT to_tsvector('simple', regexp_replace(left(folded, 100000), '[-.@_+/&<~’‘“”„«»‹›–—…·、。・]+', ' ', 'g'))
$$;

DROP INDEX contacts_words_index;
CREATE INDEX contacts_words_index ON contacts USING gin (workspace_id, words_of(search))
    WITH (fastupdate = on, gin_pending_list_limit = 512);
DROP INDEX companies_words_index;
CREATE INDEX companies_words_index ON companies USING gin (workspace_id, words_of(search))
    WITH (fastupdate = on, gin_pending_list_limit = 512);
DROP INDEX leads_words_index;
CREATE INDEX leads_words_index ON leads USING gin (workspace_id, words_of(search))
    WITH (fastupdate = on, gin_pending_list_limit = 512);
DROP INDEX opportunities_words_index;
CREATE INDEX opportunities_words_index ON opportunities USING gin (workspace_id, words_of(search))
    WITH (fastupdate = on, gin_pending_list_limit = 512);
DROP INDEX products_words_index;
CREATE INDEX products_words_index ON products USING gin (workspace_id, words_of(search))
    WITH (fastupdate = on, gin_pending_list_limit = 512);
DROP INDEX tasks_words_index;
CREATE INDEX tasks_words_index ON tasks USING gin (workspace_id, words_of(search))
    WITH (fastupdate = on, gin_pending_list_limit = 512);
DROP INDEX notes_words_index;
CREATE INDEX notes_words_index ON notes USING gin (workspace_id, words_of(search))
    WITH (fastupdate = on, gin_pending_list_limit = 512);

DROP FUNCTION words_of(uuid, text);
