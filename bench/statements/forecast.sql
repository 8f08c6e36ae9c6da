SELECT date_trunc('month', close_date::timestamp), stage_id, forecast_category, currency, probability,
       date_bin('30 days', stage_entered_at, '$now'::timestamptz), count(*), count(amount), sum(amount), var_pop(amount)
  FROM opportunity_states
 WHERE workspace_id = '$workspace' AND valid_to IS NULL AND NOT deleted AND stage_class = 'open'
   AND (close_date IS NULL OR close_date < '$end'::date)
 GROUP BY 1, 2, 3, 4, 5, 6;
SELECT date_trunc('month', closed_at), stage_class = 'won', currency, count(*), count(amount), sum(amount)
  FROM opportunity_states
 WHERE workspace_id = '$workspace' AND valid_to IS NULL AND NOT deleted AND stage_class <> 'open'
   AND closed_at >= '$year_ago'::timestamptz
 GROUP BY 1, 2, 3;
WITH closed AS MATERIALIZED (
    SELECT opportunity_id AS id, stage_class = 'won' AS won, closed_at FROM opportunity_states
     WHERE workspace_id = '$workspace' AND valid_to IS NULL AND NOT deleted AND stage_class <> 'open'
       AND closed_at >= '$year_ago'::timestamptz
     ORDER BY closed_at DESC, opportunity_id LIMIT 2000
), passed AS (
    SELECT closed.id, won, stage_id, floor(extract(epoch FROM closed.closed_at - max(state.stage_entered_at)) / 86400)::bigint AS days
      FROM closed
      JOIN opportunity_states AS state ON state.workspace_id = '$workspace' AND state.opportunity_id = closed.id
       AND state.stage_class = 'open' AND state.stage_entered_at <= closed.closed_at
     GROUP BY closed.id, won, closed.closed_at, stage_id
)
SELECT stage_id, won, array_agg(days) FILTER (WHERE won), count(*) FROM passed GROUP BY 1, 2;
SELECT date_trunc('month', close_date::timestamp), stage_id, currency, date_bin('30 days', stage_entered_at, '$now'::timestamptz),
       array_agg(amount)
  FROM opportunity_states
 WHERE workspace_id = '$workspace' AND valid_to IS NULL AND NOT deleted AND stage_class = 'open' AND forecast_category <> 'omitted'
   AND amount IS NOT NULL AND close_date >= '$month'::date AND close_date < '$end'::date
 GROUP BY 1, 2, 3, 4;
