DROP TABLE tallies;
DROP TABLE logs;
