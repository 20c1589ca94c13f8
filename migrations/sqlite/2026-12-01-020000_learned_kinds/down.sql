DROP TABLE learned_kinds;
