DROP TABLE imports;
DROP TABLE external_ids;
