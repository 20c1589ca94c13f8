ALTER TABLE providers DROP COLUMN trial_since;
