-- Reports read all that they need from indexes alone, and each instant in two parts: what still holds, and what has ended
-- since. What came into its stage at about the same time stands together, so that days are counted group by group.
DROP INDEX opportunity_states_open_index;
CREATE INDEX opportunity_states_open_index ON opportunity_states (workspace_id, stage_entered_at)
    INCLUDE (valid_from, opportunity_id, pipeline_id, stage_id, probability, currency, amount, owner_id, team_id, close_date,
             forecast_category, lead_source)
    WHERE valid_to IS NULL AND stage_class = 'open' AND NOT deleted;
DROP INDEX opportunity_states_closed_index;
CREATE INDEX opportunity_states_closed_index ON opportunity_states (workspace_id, closed_at)
    INCLUDE (valid_from, opportunity_id, pipeline_id, stage_class, currency, amount, owner_id, team_id, lead_source,
             lost_reason_id)
    WHERE valid_to IS NULL AND stage_class <> 'open' AND NOT deleted;
DROP INDEX opportunity_states_time_index;
CREATE INDEX opportunity_states_ended_index ON opportunity_states (workspace_id, valid_to, valid_from)
    INCLUDE (opportunity_id, deleted, stage_class, pipeline_id, stage_id, stage_entered_at, probability, currency, amount,
             owner_id, team_id, close_date, closed_at, forecast_category, lead_source, lost_reason_id)
    WHERE valid_to IS NOT NULL;
