-- Version 2: the violations that people were told of, so that they can be acknowledged.

CREATE TABLE told (
	audit     TEXT NOT NULL,
	violation TEXT NOT NULL,
	rule      TEXT NOT NULL,
	host      TEXT NOT NULL,
	message   TEXT NOT NULL, -- the last one that names it; the row goes with that
	PRIMARY KEY (audit, violation)
);
