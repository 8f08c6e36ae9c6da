-- What users have done in a period: the statuses that leads came to, and the tasks that were completed.
CREATE INDEX lead_status_history_time_index ON lead_status_history (workspace_id, entered_at)
    INCLUDE (lead_id, from_status, to_status_class, actor_kind, actor_id);
CREATE INDEX journal_task_completed_index ON journal (workspace_id, at) INCLUDE (record_id, actor_kind, actor_id)
    WHERE event = 'task.completed';
