-- Version 6: experiments, by which traffic was altered: from when which were in force. Which
-- ones altered a flow is among its rare facts, in flows.more.

CREATE TABLE switches (
	id         INTEGER PRIMARY KEY,
	session_id INTEGER NOT NULL REFERENCES sessions(id),
	time       INTEGER NOT NULL,
	active     TEXT NOT NULL
);

DROP VIEW exchanges;
CREATE VIEW exchanges AS
SELECT f.id, strftime('%Y-%m-%dT%H:%M:%fZ', f.started / 1000000.0, 'unixepoch') AS time,
	k.kind, k.mode, k.phase, k.outcome, h.name AS host, k.method, u.text AS url, k.status, k.protocol,
	f.request_size + f.sent AS bytes_sent, f.response_size + f.received AS bytes_received,
	f.ended - f.started AS duration, a.address AS client,
	CASE WHEN n.address IS NULL THEN c.device ELSE nullif(n.name, '') END AS device, c.ja4, c.sni, c.dialed,
	q.fields AS request_headers, r.fields AS response_headers,
	c.destination, c.resolved, c.app, c.app_id, k.speech, f.datagrams_sent, f.datagrams_received,
	k.question_type, k.question_code, s.text AS answers, x.found AS exposures,
	f.more ->> 'altered' AS altered, f.more ->> 'experiments' AS experiments
FROM flows f
LEFT JOIN kinds k ON k.id = f.kind_id
LEFT JOIN hosts h ON h.id = f.host_id
LEFT JOIN texts u ON u.id = f.url_id
LEFT JOIN texts s ON s.id = f.answers_id
LEFT JOIN connections c ON c.id = f.connection_id
LEFT JOIN clients a ON a.connection_id = c.id
LEFT JOIN device_names n ON n.address = a.address
LEFT JOIN headers q ON q.id = f.request_headers
LEFT JOIN headers r ON r.id = f.response_headers
LEFT JOIN exposures x ON x.id = f.exposures_id;
