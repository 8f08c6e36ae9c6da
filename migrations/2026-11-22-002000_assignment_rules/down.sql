DROP INDEX leads_owner_open_index;
DROP TABLE assignment_turns;
DROP TABLE assignment_rules;
