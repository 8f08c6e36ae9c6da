DROP INDEX notes_words_index;
DROP INDEX tasks_words_index;
DROP INDEX products_words_index;
DROP INDEX opportunities_words_index;
DROP INDEX leads_words_index;
DROP INDEX companies_words_index;
DROP INDEX contacts_words_index;
DROP FUNCTION words_of(text);
