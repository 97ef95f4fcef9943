package cmd

import "maps"

func init() { maps.Copy(words, tellingWords) }

// tellingWords are the words of the commands that tell somebody.
var tellingWords = map[string]commandWords{
	"notify": {
		use:   "notify",
		short: "Messages to people: what waits, what failed, try a destination",
		long: `Who is told of an audit stands in the policy's section notify, or is named by
record --notify. Messages wait in an outbox in your data folder until they are
delivered.`,
		example: `  telltale notify test --policy telltale.yaml
  telltale notify list`,
	},
	"notify list": {
		use: "list", short: "List the messages that wait, failed, or were delivered lately",
		long: `Lists the messages of all audits. A dead message is not tried again until
telltale notify retry says so.`,
		example: `  telltale notify list`,
	},
	"notify retry": {
		use: "retry [MESSAGE...]", short: "Send messages again now, dead ones too",
		long: `Sends messages again that wait or are dead, all of them or those that are named
by their IDs, or how these start. Where they go has to be configured, as in
record.`,
		example: `  telltale notify retry
  telltale notify retry 3f9c --policy telltale.yaml`,
	},
	"notify run": {
		use: "run", short: "Deliver what waits and what falls due, until Ctrl-C",
		long: `Delivers messages that wait, those of audits that were killed, and escalations
that fall due, until it is ended. An audit that runs does the same.`,
		example: `  telltale notify run --policy telltale.yaml
  telltale notify run --policy telltale.yaml --for 1h`,
	},
	"notify test": {
		use: "test", short: "Send a test to each destination, and say what it answers",
		long: `Sends a message to each destination of the policy and of --notify, once, and
says what came of it. Ends with 2 where one was not delivered.`,
		example: `  telltale notify test --policy telltale.yaml
  telltale notify test --notify env:SLACK_WEBHOOK`,
	},
	"ack": {
		use:   "ack [VIOLATION...]",
		short: "Acknowledge violations, so that nobody else is told",
		long: `Says that somebody knows of a violation of which somebody was told, named by
its ID or how that starts. Nobody else is told of it then; the verdict stays.
Twice is fine. Without an ID, lists what nobody has acknowledged, and whom it is
told next, where that is planned. The acknowledgement is kept in the capture,
while that is recorded too. With --capture, any violation of that capture can be
acknowledged; --policy names the policy that it breaks, where nobody was told.`,
		example: `  telltale ack
  telltale ack 1f3a
  telltale ack 1f3a --capture audit.telltale`,
	},
	"captures key": {
		use: "key", short: "Show the key that signs what this machine records",
		long: `Prints the fingerprint of this machine's signing key, the file of the private
key, and the public key in PEM. Makes the key at first use. Give the fingerprint
or the PEM to those who will verify captures, before the audit.`,
		example: `  telltale captures key
  telltale captures verify audit.telltale --key lab.pem`,
	},
}
