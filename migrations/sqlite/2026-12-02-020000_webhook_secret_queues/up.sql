-- The queues whose jobs may be signed with a webhook secret: patterns as a JSON list; all queues if it is empty.
ALTER TABLE webhook_secrets ADD COLUMN queues TEXT NOT NULL DEFAULT '[]'
    CHECK (json_valid(queues) AND json_type(queues) = 'array');
