DROP TABLE feed_heads;
DROP TABLE journal;
