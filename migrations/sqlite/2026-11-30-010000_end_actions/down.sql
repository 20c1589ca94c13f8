DROP TABLE deliveries;
DROP TABLE batch_end_actions;
DROP TABLE end_actions;
