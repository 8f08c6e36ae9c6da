CREATE OR REPLACE FUNCTION words_of(workspace uuid, folded text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL UNSAFE AS $$
    SELECT to_tsvector('simple', replace(
        rtrim(regexp_replace(left(folded, 100000), ' *[-!"#$%&''()*+,./:;<=>?@\[\\\]^_`{|}~\x01-\x1f\x7f-\xbf\xd7\xf7\u2000-\u2bff\u3000-\u3004\u3008-\u3020\u3030\u30fb\U0001f000-\U0001faff][-!"#$%&''()*+,./:;<=>?@\[\\\]^_`{|}~\x01-\x1f\x7f-\xbf\xd7\xf7\u2000-\u2bff\u3000-\u3004\u3008-\u3020\u3030\u30fb\U0001f000-\U0001faff ]*', ' ', 'g')),
        ' ', ' ' || translate(right(workspace::text, 8), '0123456789', 'ghijklmnop')))
$$;

REINDEX INDEX contacts_words_index;
REINDEX INDEX companies_words_index;
REINDEX INDEX leads_words_index;
REINDEX INDEX opportunities_words_index;
REINDEX INDEX products_words_index;
REINDEX INDEX tasks_words_index;
REINDEX INDEX notes_words_index;
