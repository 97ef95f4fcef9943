-- Version 3: what a whole device sends, which app sent it, and the books of the ways in.

ALTER TABLE connections ADD COLUMN app TEXT;
ALTER TABLE connections ADD COLUMN app_id TEXT;
ALTER TABLE connections ADD COLUMN destination TEXT;
ALTER TABLE connections ADD COLUMN resolved TEXT;

ALTER TABLE kinds ADD COLUMN speech TEXT;
ALTER TABLE kinds ADD COLUMN question_type TEXT;
ALTER TABLE kinds ADD COLUMN question_code TEXT;

ALTER TABLE flows ADD COLUMN datagrams_sent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flows ADD COLUMN datagrams_received INTEGER NOT NULL DEFAULT 0;
ALTER TABLE flows ADD COLUMN answers_id INTEGER REFERENCES texts(id);

CREATE TABLE ledgers (
	session_id INTEGER NOT NULL REFERENCES sessions(id),
	mode       TEXT NOT NULL,
	side       TEXT NOT NULL,
	name       TEXT NOT NULL,
	units      INTEGER NOT NULL,
	bytes      INTEGER NOT NULL,
	PRIMARY KEY (session_id, mode, side, name)
) WITHOUT ROWID;

DROP VIEW exchanges;
CREATE VIEW exchanges AS
SELECT f.id, strftime('%Y-%m-%dT%H:%M:%fZ', f.started / 1000000.0, 'unixepoch') AS time,
	k.kind, k.mode, k.phase, k.outcome, h.name AS host, k.method, u.text AS url, k.status, k.protocol,
	f.request_size + f.sent AS bytes_sent, f.response_size + f.received AS bytes_received,
	f.ended - f.started AS duration, a.address AS client,
	CASE WHEN n.address IS NULL THEN c.device ELSE nullif(n.name, '') END AS device, c.ja4, c.sni, c.dialed,
	q.fields AS request_headers, r.fields AS response_headers,
	c.destination, c.resolved, c.app, c.app_id, k.speech, f.datagrams_sent, f.datagrams_received,
	k.question_type, k.question_code, s.text AS answers
FROM flows f
LEFT JOIN kinds k ON k.id = f.kind_id
LEFT JOIN hosts h ON h.id = f.host_id
LEFT JOIN texts u ON u.id = f.url_id
LEFT JOIN texts s ON s.id = f.answers_id
LEFT JOIN connections c ON c.id = f.connection_id
LEFT JOIN clients a ON a.connection_id = c.id
LEFT JOIN device_names n ON n.address = a.address
LEFT JOIN headers q ON q.id = f.request_headers
LEFT JOIN headers r ON r.id = f.response_headers;
