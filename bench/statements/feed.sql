SELECT id, position, event, record_kind, record_id, version, changes, actor_kind, actor_id, origin, request_id, at
  FROM journal WHERE workspace_id = '$workspace' AND position > $feed_position ORDER BY position LIMIT 50;
