package capture

import "strings"

// A file of an older version is read as it is: what its tables lack is NULL to who reads.

// sinceVersion3 are the columns that version 3 added, as queries name them.
var sinceVersion3 = strings.NewReplacer(
	"c.app,c.app_id,c.destination,c.resolved", "NULL,NULL,NULL,NULL",
	"speech,question_type,question_code", "NULL,NULL,NULL",
	"f.datagrams_sent,f.datagrams_received,a.text", "NULL,NULL,NULL",
	" LEFT JOIN texts a ON a.id = f.answers_id", "",
)

// sinceVersion4 are those that version 4 added.
var sinceVersion4 = strings.NewReplacer(",question_code,examined", ",question_code,NULL", ",f.exposures_id", ",NULL")

// fileQuery returns a query as a file of a version understands it.
func fileQuery(query string, version int64) string {
	if version < 4 {
		query = sinceVersion4.Replace(query)
	}
	if version < 3 {
		return sinceVersion3.Replace(query)
	}
	return query
}

// version returns the version of the file.
func (c *conn) version() (int64, error) { return c.integer("PRAGMA user_version") }

// prepareFor prepares a query as the file understands it.
func (c *conn) prepareFor(query string) (*stmt, error) {
	version, err := c.version()
	if err != nil {
		return nil, err
	}
	return c.prepare(fileQuery(query, version))
}

const (
	flowsColumns = "SELECT f.id,f.kind_id,f.connection_id,u.text,e.text,f.started,f.ended," +
		"f.blocked,f.dns,f.connect,f.tls,f.send,f.wait,f.receive," +
		"f.request_headers,f.request_body,f.request_size,f.response_headers,f.response_body,f.response_size," +
		"f.sent,f.received,f.more,bq.sha256,br.sha256,f.datagrams_sent,f.datagrams_received,a.text,f.exposures_id FROM "
	flowsJoins = " LEFT JOIN texts u ON u.id = f.url_id LEFT JOIN texts e ON e.id = f.error_id LEFT JOIN texts a ON a.id = f.answers_id " +
		"LEFT JOIN bodies bq ON bq.id = f.request_body LEFT JOIN bodies br ON br.id = f.response_body "
	selectFlows = flowsColumns + "flows f" + flowsJoins
	// selectFlowsOfHost goes from block to block, in the order of IDs too.
	selectFlowsOfHost = flowsColumns + "host_blocks b CROSS JOIN flows f ON f.id BETWEEN b.block * 256 AND b.block * 256 + 255 " +
		"AND f.host_id = b.host_id" + flowsJoins

	selectKind = "SELECT kind,mode,phase,outcome,failure,method,protocol,status,reason,response_protocol," +
		"speech,question_type,question_code,examined FROM kinds WHERE id = ?"
	selectConnection = "SELECT c.id,c.client_address,c.client_port,c.device,c.client_tls,c.client_alpn," +
		"c.hello_sni,c.hello_alpn,c.hello_versions,c.ja4,c.alert,c.asked,c.sni,c.host,c.dialed," +
		"c.server_tls,c.cipher_suite,c.server_alpn,c.certificate_id,c.invalid,c.unverified,c.app,c.app_id,c.destination,c.resolved," +
		"t.sha256,t.subject,t.issuer,t.dns_names,t.not_before,t.not_after " +
		"FROM connections c LEFT JOIN certificates t ON t.id = c.certificate_id WHERE c.id = ?"
)
