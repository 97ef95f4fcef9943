-- Version 1. Times are microseconds since 1970-01-01T00:00:00Z, durations are
-- microseconds, sizes are bytes. docs/capture-format.md explains every column.

CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value ANY
) WITHOUT ROWID;

CREATE TABLE sessions (
	id      INTEGER PRIMARY KEY,
	started INTEGER NOT NULL,
	ended   INTEGER
);

CREATE TABLE phases (
	id      INTEGER PRIMARY KEY,
	started INTEGER NOT NULL,
	name    TEXT NOT NULL
);

CREATE TABLE notes (
	id   INTEGER PRIMARY KEY,
	time INTEGER NOT NULL,
	text TEXT NOT NULL UNIQUE
);

CREATE TABLE hosts (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL
);

CREATE TABLE texts (
	id   INTEGER PRIMARY KEY,
	text TEXT NOT NULL
);

CREATE TABLE headers (
	id     INTEGER PRIMARY KEY,
	fields TEXT NOT NULL
);

CREATE TABLE bodies (
	id      INTEGER PRIMARY KEY,
	sha256  BLOB NOT NULL UNIQUE,
	size    INTEGER NOT NULL,
	type    TEXT,
	coding  TEXT,
	zstd    INTEGER NOT NULL,
	content BLOB NOT NULL
);

CREATE TABLE certificates (
	id         INTEGER PRIMARY KEY,
	sha256     TEXT NOT NULL,
	subject    TEXT NOT NULL,
	issuer     TEXT NOT NULL,
	dns_names  TEXT,
	not_before INTEGER NOT NULL,
	not_after  INTEGER NOT NULL
);

CREATE TABLE connections (
	id             INTEGER PRIMARY KEY,
	client_address TEXT,
	client_port    INTEGER,
	device         TEXT,
	client_tls     INTEGER,
	client_alpn    TEXT,
	hello_sni      TEXT,
	hello_alpn     TEXT,
	hello_versions TEXT,
	ja4            TEXT,
	alert          TEXT,
	asked          TEXT,
	sni            TEXT,
	host           TEXT,
	dialed         TEXT,
	server_tls     INTEGER,
	cipher_suite   INTEGER,
	server_alpn    TEXT,
	certificate_id INTEGER REFERENCES certificates(id),
	invalid        TEXT,
	unverified     INTEGER
);

CREATE TABLE kinds (
	id                INTEGER PRIMARY KEY,
	kind              TEXT NOT NULL,
	mode              TEXT NOT NULL,
	phase             TEXT,
	outcome           TEXT NOT NULL,
	failure           TEXT,
	method            TEXT,
	protocol          TEXT,
	status            INTEGER,
	reason            TEXT,
	response_protocol TEXT
);

CREATE TABLE flows (
	id               INTEGER PRIMARY KEY,
	kind_id          INTEGER NOT NULL REFERENCES kinds(id),
	host_id          INTEGER REFERENCES hosts(id),
	connection_id    INTEGER NOT NULL REFERENCES connections(id),
	url_id           INTEGER REFERENCES texts(id),
	error_id         INTEGER REFERENCES texts(id),
	started          INTEGER,
	ended            INTEGER,
	blocked          INTEGER,
	dns              INTEGER,
	connect          INTEGER,
	tls              INTEGER,
	send             INTEGER,
	wait             INTEGER,
	receive          INTEGER,
	request_headers  INTEGER REFERENCES headers(id),
	request_body     INTEGER REFERENCES bodies(id),
	request_size     INTEGER NOT NULL DEFAULT 0,
	response_headers INTEGER REFERENCES headers(id),
	response_body    INTEGER REFERENCES bodies(id),
	response_size    INTEGER NOT NULL DEFAULT 0,
	sent             INTEGER NOT NULL DEFAULT 0,
	received         INTEGER NOT NULL DEFAULT 0,
	more             TEXT
);

-- Which flows have ended, in order, many to a row: an index of flows by seq would
-- cost as much as the flows.
CREATE TABLE ends (
	seq   INTEGER PRIMARY KEY,
	flows TEXT NOT NULL
);

-- Where the flows of a host are, to 256 IDs.
CREATE TABLE host_blocks (
	host_id INTEGER NOT NULL REFERENCES hosts(id),
	block   INTEGER NOT NULL,
	PRIMARY KEY (host_id, block)
) WITHOUT ROWID;

CREATE TABLE frames (
	id          INTEGER PRIMARY KEY,
	flow_id     INTEGER NOT NULL REFERENCES flows(id),
	n           INTEGER NOT NULL,
	time        INTEGER NOT NULL,
	from_client INTEGER NOT NULL,
	opcode      INTEGER NOT NULL,
	size        INTEGER NOT NULL,
	truncated   INTEGER NOT NULL,
	data        BLOB
);
CREATE UNIQUE INDEX frames_flow ON frames(flow_id, n);

-- Words of texts, header blocks, text bodies and text frames. Contentless: rowid
-- is 4 × the row's id + 0 for texts, 1 headers, 2 bodies, 3 frames.
CREATE VIRTUAL TABLE search USING fts5(text, content='', detail=none, columnsize=0, tokenize='ascii');

-- The same flows for people: text instead of ids.
CREATE VIEW exchanges AS
SELECT f.id, strftime('%Y-%m-%dT%H:%M:%fZ', f.started / 1000000.0, 'unixepoch') AS time,
	k.kind, k.mode, k.phase, k.outcome, h.name AS host, k.method, u.text AS url, k.status, k.protocol,
	f.request_size + f.sent AS bytes_sent, f.response_size + f.received AS bytes_received,
	f.ended - f.started AS duration, c.client_address AS client, c.device, c.ja4, c.sni, c.dialed,
	q.fields AS request_headers, r.fields AS response_headers
FROM flows f
LEFT JOIN kinds k ON k.id = f.kind_id
LEFT JOIN hosts h ON h.id = f.host_id
LEFT JOIN texts u ON u.id = f.url_id
LEFT JOIN connections c ON c.id = f.connection_id
LEFT JOIN headers q ON q.id = f.request_headers
LEFT JOIN headers r ON r.id = f.response_headers;

CREATE VIEW devices AS
SELECT c.client_address AS address, max(c.device) AS name, count(*) AS flows,
	min(f.started) AS first, max(coalesce(f.ended, f.started)) AS last
FROM flows f JOIN connections c ON c.id = f.connection_id
WHERE c.client_address IS NOT NULL
GROUP BY c.client_address;
