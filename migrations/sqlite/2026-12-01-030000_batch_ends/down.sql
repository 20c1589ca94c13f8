DROP TABLE batch_ends;
