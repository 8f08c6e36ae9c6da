-- Lists of opportunities by the date on which they are expected to be closed: of the deleted, and of those that somebody sees who does not
-- see all. That of the living is there.
CREATE INDEX opportunities_deleted_close_date_index ON opportunities (workspace_id, close_date, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX opportunities_owner_close_date_index ON opportunities (workspace_id, owner_id, close_date, id) WHERE owner_id IS NOT NULL;
CREATE INDEX opportunities_team_close_date_index ON opportunities (workspace_id, team_id, close_date, id) WHERE team_id IS NOT NULL;
