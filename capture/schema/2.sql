-- Version 2: names that a person gave to devices, and views that show them.

CREATE TABLE device_names (
	address TEXT PRIMARY KEY,
	name    TEXT NOT NULL,
	named   INTEGER NOT NULL
) WITHOUT ROWID;

-- The address by which a device is known: without a zone, and IPv4 as such.
CREATE VIEW clients AS
SELECT id AS connection_id, CASE WHEN bare LIKE '::ffff:%.%' THEN substr(bare, 8) ELSE bare END AS address
FROM (SELECT id, substr(client_address, 1, instr(client_address || '%', '%') - 1) AS bare FROM connections);

DROP VIEW exchanges;
CREATE VIEW exchanges AS
SELECT f.id, strftime('%Y-%m-%dT%H:%M:%fZ', f.started / 1000000.0, 'unixepoch') AS time,
	k.kind, k.mode, k.phase, k.outcome, h.name AS host, k.method, u.text AS url, k.status, k.protocol,
	f.request_size + f.sent AS bytes_sent, f.response_size + f.received AS bytes_received,
	f.ended - f.started AS duration, a.address AS client,
	CASE WHEN n.address IS NULL THEN c.device ELSE nullif(n.name, '') END AS device, c.ja4, c.sni, c.dialed,
	q.fields AS request_headers, r.fields AS response_headers
FROM flows f
LEFT JOIN kinds k ON k.id = f.kind_id
LEFT JOIN hosts h ON h.id = f.host_id
LEFT JOIN texts u ON u.id = f.url_id
LEFT JOIN connections c ON c.id = f.connection_id
LEFT JOIN clients a ON a.connection_id = c.id
LEFT JOIN device_names n ON n.address = a.address
LEFT JOIN headers q ON q.id = f.request_headers
LEFT JOIN headers r ON r.id = f.response_headers;

DROP VIEW devices;
CREATE VIEW devices AS
SELECT a.address, CASE WHEN n.address IS NULL THEN max(c.device) ELSE nullif(n.name, '') END AS name,
	count(*) AS flows, min(f.started) AS first, max(coalesce(f.ended, f.started)) AS last
FROM flows f
JOIN connections c ON c.id = f.connection_id
JOIN clients a ON a.connection_id = c.id
LEFT JOIN device_names n ON n.address = a.address
WHERE a.address IS NOT NULL
GROUP BY a.address;
