package cmd

import "maps"

func init() { maps.Copy(words, captureWords) }

// captureWords are the words of the commands about captures that are kept.
var captureWords = map[string]commandWords{
	"captures": {
		use:   "captures",
		short: "List, remove, redact and verify captures",
		long: `Audits without --save are kept for seven days (see record --keep) in your data
folder, readable by you alone.`,
		example: `  telltale captures list
  telltale captures redact audit.telltale -o for-the-vendor.telltale
  telltale captures verify audit.telltale`,
	},
	"captures redact": {
		use: "redact CAPTURE", short: "Make a copy that is safe to hand over",
		long: `Writes a copy of a capture without tokens, cookies, values under never-send and
identifiers. Equal values have equal masks, in whatever place and encoding they
stood; the masks of two copies have nothing in common. What still holds
something after masking is left out, and so is content that cannot be looked
into, such as pictures. The same policy judges the copy as it does the original.`,
		example: `  telltale captures redact audit.telltale -o for-the-vendor.telltale
  telltale captures redact audit.telltale --policy lab.yaml -o copy.telltale`,
	},
	"captures verify": {
		use: "verify CAPTURE...", short: "Show whether a capture was changed after the recording",
		long: `Computes the chain of digests over a capture again and checks the signature of
each session. Says what was changed, added or taken away, and where.

Ends with 0 where everything holds, 1 where something was changed, 2 where the
file cannot be read. It cannot show that a recording is true: whoever has the
machine and the key can make any.`,
		example: `  telltale captures verify audit.telltale
  telltale captures verify audit.telltale --key 3F:2A:…:91 --format json
  telltale captures verify audit.telltale --manifest manifest.json`,
	},
	"captures list": {
		use: "list", short: "List the captures with size and expiry",
		long:    `Lists the captures in the data folder, the newest last.`,
		example: `  telltale captures list`,
	},
	"captures rm": {
		use: "rm CAPTURE...", short: "Remove captures",
		long:    `Removes captures, named by path or by name. One that is being recorded stays.`,
		example: `  telltale captures rm 2026-11-20T12-00-00.000Z`,
	},
	"captures purge": {
		use: "purge", short: "Remove the captures that have expired",
		long:    `Removes expired captures now rather than at the next start.`,
		example: `  telltale captures purge --all`,
	},
}
