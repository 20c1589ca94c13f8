-- A provider that was never called is on trial: few of its calls run at once, and their number doubles every
-- 25 ms until its first refusal.
ALTER TABLE providers ADD COLUMN trial_since INTEGER;
