-- Moments of a rate limit that were booked and given back, as JSON.
ALTER TABLE rate_limits ADD COLUMN free TEXT NOT NULL DEFAULT '[]';
