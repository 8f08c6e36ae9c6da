DROP TABLE scorings, score_versions, score_definitions;
