SELECT journal.id, position, event, record_kind, record_id, version, changes, actor_kind, actor_id, origin, request_id, at
  FROM feed_positions AS place JOIN journal ON journal.workspace_id = place.workspace_id AND journal.id = place.entry_id
 WHERE place.workspace_id = '$workspace' AND position > $feed_position ORDER BY position LIMIT 50;
