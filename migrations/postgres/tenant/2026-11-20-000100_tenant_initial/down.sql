DROP TABLE activity_recipients;
DROP TABLE activities;
DROP TABLE activity_heads;
DROP TABLE invites;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE settings;
