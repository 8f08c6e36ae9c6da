DROP INDEX opportunity_states_ended_index;
CREATE INDEX opportunity_states_time_index ON opportunity_states (workspace_id, valid_to, valid_from);
DROP INDEX opportunity_states_closed_index;
CREATE INDEX opportunity_states_closed_index ON opportunity_states (workspace_id, closed_at)
    WHERE valid_to IS NULL AND stage_class <> 'open' AND NOT deleted;
DROP INDEX opportunity_states_open_index;
CREATE INDEX opportunity_states_open_index ON opportunity_states (workspace_id, pipeline_id, stage_id)
    INCLUDE (opportunity_id, amount, currency, probability, forecast_category, close_date, owner_id, team_id, lead_source,
             stage_entered_at)
    WHERE valid_to IS NULL AND stage_class = 'open' AND NOT deleted;
