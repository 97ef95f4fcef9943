-- Version 5: events that somebody is to be told of, what people and programs said of
-- violations, and the chain that shows whether the file was changed afterwards.

CREATE TABLE events (
	seq      INTEGER PRIMARY KEY,
	time     INTEGER NOT NULL,
	kind     TEXT NOT NULL,
	subject  TEXT,
	flow_id  INTEGER,
	count    INTEGER NOT NULL,
	document TEXT NOT NULL
);

CREATE TABLE annotations (
	id        INTEGER PRIMARY KEY,
	time      INTEGER NOT NULL,
	violation TEXT NOT NULL,
	kind      TEXT NOT NULL,
	author    TEXT NOT NULL,
	text      TEXT NOT NULL,
	until     INTEGER
);

CREATE TABLE links (
	id       INTEGER PRIMARY KEY,
	time     INTEGER NOT NULL,
	ends     INTEGER NOT NULL,
	rows     TEXT NOT NULL,
	digest   BLOB NOT NULL
);

CREATE TABLE manifests (
	session_id INTEGER PRIMARY KEY REFERENCES sessions(id),
	document   TEXT NOT NULL
);
