-- A sign that was not listed parted words for the parser all the same, and what stood behind it lacked the letters of its workspace:
-- nobody found it by how it begins. Now the signs of the scripts of our day are listed, such as the hyphen of Hebrew, the comma of
-- Arabic and the full stop of Hindi.
CREATE OR REPLACE FUNCTION words_of(workspace uuid, folded text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL UNSAFE AS $$
    SELECT to_tsvector('simple', replace(
        rtrim(regexp_replace(left(folded, 100000), ' *[-!"#$%&''()*+,./:;<=>?@\[\\\]^_`{|}~\x01-\x1f\x7f-\xbf\xd7\xf7\u02c2-\u02c5\u02d2-\u02df\u0375\u055a-\u055f\u0589-\u058f\u05be\u05c0\u05c3\u05c6\u05f3-\u05f4\u0600-\u060f\u061b-\u061f\u066a-\u066d\u06d4\u06dd-\u06de\u06e9\u06fd-\u06fe\u0700-\u070f\u0964-\u0965\u0970\u09f2-\u09f3\u09fa-\u09fb\u09fd\u0af0-\u0af1\u0bf3-\u0bfa\u0df4\u0e3f\u0e4f\u0e5a-\u0e5b\u0f04-\u0f17\u0f3a-\u0f3d\u104a-\u104f\u10fb\u1360-\u1368\u166d-\u166e\u169b-\u169c\u17d4-\u17d6\u17d8-\u17db\u1800-\u180a\u2000-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u3020\u3030\u303d-\u303f\u30a0\u30fb\ua92e-\ua92f\uaadf\uabeb\ufd3e-\ufdff\ufe10-\ufe6f\ufeff-\uff0f\ufffc-\ufffd\U0001f000-\U0001faff][-!"#$%&''()*+,./:;<=>?@\[\\\]^_`{|}~\x01-\x1f\x7f-\xbf\xd7\xf7\u02c2-\u02c5\u02d2-\u02df\u0375\u055a-\u055f\u0589-\u058f\u05be\u05c0\u05c3\u05c6\u05f3-\u05f4\u0600-\u060f\u061b-\u061f\u066a-\u066d\u06d4\u06dd-\u06de\u06e9\u06fd-\u06fe\u0700-\u070f\u0964-\u0965\u0970\u09f2-\u09f3\u09fa-\u09fb\u09fd\u0af0-\u0af1\u0bf3-\u0bfa\u0df4\u0e3f\u0e4f\u0e5a-\u0e5b\u0f04-\u0f17\u0f3a-\u0f3d\u104a-\u104f\u10fb\u1360-\u1368\u166d-\u166e\u169b-\u169c\u17d4-\u17d6\u17d8-\u17db\u1800-\u180a\u2000-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u3020\u3030\u303d-\u303f\u30a0\u30fb\ua92e-\ua92f\uaadf\uabeb\ufd3e-\ufdff\ufe10-\ufe6f\ufeff-\uff0f\ufffc-\ufffd\U0001f000-\U0001faff ]*', ' ', 'g')),
        ' ', ' ' || translate(right(workspace::text, 8), '0123456789', 'ghijklmnop')))
$$;

REINDEX INDEX contacts_words_index;
REINDEX INDEX companies_words_index;
REINDEX INDEX leads_words_index;
REINDEX INDEX opportunities_words_index;
REINDEX INDEX products_words_index;
REINDEX INDEX tasks_words_index;
REINDEX INDEX notes_words_index;
