DROP TABLE lead_statuses;
