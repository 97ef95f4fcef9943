-- Version 1. Times are milliseconds since 1970 in UTC. No secret is in any table.

CREATE TABLE sources (
	audit TEXT PRIMARY KEY,
	path  TEXT NOT NULL,    -- of the capture; '' where it has no file
	seq   INTEGER NOT NULL, -- of the last event whose messages were written
	used  INTEGER NOT NULL,
	open  INTEGER NOT NULL  -- 1 while there may be events that are yet to be taken
);

CREATE TABLE messages (
	n           INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order in which they were made
	id          TEXT NOT NULL UNIQUE,              -- the idempotency key
	audit       TEXT NOT NULL,
	destination TEXT NOT NULL,
	kind        TEXT NOT NULL,
	identity    TEXT NOT NULL,
	document    TEXT,    -- notify.Message; NULL once it was delivered
	state       TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
	attempts    INTEGER NOT NULL DEFAULT 0,
	made        INTEGER NOT NULL,
	since       INTEGER NOT NULL, -- when it began to wait: it was made, or is to be sent again
	next        INTEGER NOT NULL, -- not tried before
	owner       TEXT,             -- who tries it now
	lease       INTEGER,          -- until when nobody else does
	ended       INTEGER,
	reason      TEXT NOT NULL DEFAULT '',
	ref         TEXT NOT NULL DEFAULT ''
);
CREATE INDEX messages_due ON messages (identity, next) WHERE state = 'waiting';

CREATE TABLE acknowledgements (
	audit     TEXT NOT NULL,
	violation TEXT NOT NULL,
	time      INTEGER NOT NULL,
	by        TEXT NOT NULL,
	PRIMARY KEY (audit, violation)
);

CREATE TABLE escalations (
	audit       TEXT NOT NULL,
	violation   TEXT NOT NULL,
	destination TEXT NOT NULL,
	kind        TEXT NOT NULL,
	identity    TEXT NOT NULL,
	patience    INTEGER NOT NULL, -- milliseconds from the event until somebody must have acknowledged it
	due         INTEGER NOT NULL,
	event       TEXT,             -- its document; NULL once this is settled
	settled     INTEGER,
	PRIMARY KEY (audit, violation, identity)
);
CREATE INDEX escalations_due ON escalations (due) WHERE settled IS NULL;
