package notify

// Schema names the JSON of a webhook that is no chat room's. Keys may be added to it; none
// changes its meaning. docs/notify.md has it in words.
const Schema = "telltale.message/1"

// webhook writes a message as it is, with the name of its schema before it.
func webhook(m Message) (Payload, error) {
	document, err := encode(struct {
		Schema string `json:"schema"`
		Message
	}{Schema, m})
	return Payload{JSON: document}, err
}
