SELECT key::text, currency, array_agg(day) FILTER (WHERE of_days), array_agg(count) FILTER (WHERE of_days), sum(count)::bigint,
       sum(count_with_amount)::bigint, coalesce(sum(amount), 0), coalesce(sum(amount) * probability, 0)
  FROM (SELECT $group AS key, currency, probability, date_bin('1 day', stage_entered_at, '$now'::timestamptz) AS day,
               grouping(currency) = 1 AS of_days,
               count(*) AS count, count(amount) AS count_with_amount, sum(amount) AS amount
          FROM opportunity_states
         WHERE workspace_id = '$workspace' AND $time AND stage_class = 'open' AND NOT deleted
         GROUP BY GROUPING SETS ((1, 2, 3), (1, 4))) AS cell
 GROUP BY key, currency, probability, of_days
