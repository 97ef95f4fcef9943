package transport

import (
	"encoding/json"

	"telltale/notify"
	"telltale/policy"
)

// render writes a message as a kind of destination takes it.
func render(_ policy.DestinationKind, m notify.Message) (notify.Payload, error) {
	document, err := json.Marshal(m)
	return notify.Payload{JSON: document, Subject: m.Title, Text: m.Text}, err
}
