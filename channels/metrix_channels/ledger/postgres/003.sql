-- Places under a rate limit that were booked and released, as JSON.
ALTER TABLE rate_limits ADD COLUMN free TEXT NOT NULL DEFAULT '[]';

-- When a message of the outbox may be sent, by the database's clock; NULL for at once.
ALTER TABLE sends ADD COLUMN due_at TEXT COLLATE "C";

DROP INDEX waiting_sends;
CREATE INDEX waiting_sends ON sends (app_id, channel, greatest(due_at, created_at))
    WHERE state = 'open' AND outgoing IS NOT NULL AND owner IS NULL;
CREATE INDEX due_sends ON sends (due_at) WHERE state = 'open' AND outgoing IS NOT NULL AND owner IS NULL;

-- A message that is due in more than a minute gets no job yet; the sweep creates one in time. So messages that are due
-- months ahead do not delay the jobs that are due now.
CREATE OR REPLACE FUNCTION post(_send TEXT, _seconds DOUBLE PRECISION DEFAULT 0, _tries INT DEFAULT 0) RETURNS void
LANGUAGE plpgsql SET search_path = metrix_channels, pg_temp AS $$
BEGIN
    PERFORM procrastinate_defer_jobs_v1(ARRAY[
        ROW(queue_of(app_id, channel), 'metrix_channels.post', 0, NULL, id,
            jsonb_build_object('send', id, 'tries', _tries),
            CASE WHEN _seconds > 0 OR due_at::timestamptz > now()
                THEN greatest(due_at::timestamptz, now() + make_interval(secs => _seconds)) END
        )::procrastinate_job_to_defer_v1])
    FROM sends WHERE id = _send AND (due_at IS NULL OR due_at::timestamptz <= clock_timestamp() + interval '1 minute');
EXCEPTION WHEN unique_violation THEN
    NULL;
END;
$$;
