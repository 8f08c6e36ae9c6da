DROP TABLE stages;
DROP TABLE pipelines;
