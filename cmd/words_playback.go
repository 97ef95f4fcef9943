package cmd

import "maps"

func init() { maps.Copy(words, playbackWords) }

// playbackWords are the words of the commands that use a recording again.
var playbackWords = map[string]commandWords{
	"serve": {
		use:   "serve CAPTURE --host PATTERN... [-- CMD ARG...]",
		short: "Answer a device from a recording, without its servers",
		long: `Audits a device as record does, and forwards nothing: requests to the hosts that
--host names are answered from the recording, all others are refused. So an app
can be looked at whose servers are gone, or must not be asked again.

Of the recorded answers, the one whose request is nearest is given, in order
where there are several. Each flow says which it was, and in what its request
differs. What was not recorded is answered 504 and listed at the end.

CAPTURE is one of telltale, a HAR or a flow file of mitmproxy.
docs/replay.md has the details. Exit codes: telltale help exit-codes`,
		example: `  telltale serve audit.telltale --host api.example.org --allow '*.example.org'
  telltale serve run.har --host '*.canada.ca' --policy telltale.yaml -- npm test`,
	},
	"replay": {
		use:   "replay CAPTURE",
		short: "Run programs over a recording, or send its requests again",
		long: `With --on, judges a capture, makes the events of a live audit anew, and runs the
programs of the policy's section on. Prints what each of them wrote and
answered. Nothing is changed and nobody is told: it is for developing such
programs.

With --against, sends the recorded requests to a server of your own and says
where its answers differ: status, type, header fields that matter, and the body,
of which JSON may have other values in the same shape. Only the host of the URL
is contacted, and no redirect is followed. Credentials of the recording are
taken out, or replaced by --secret. GET, HEAD and OPTIONS are sent; --methods
sends others. docs/replay.md has the details.

Ends with 0 where all answers are the same, 1 where some differ or did not come,
2 where nothing could be compared.`,
		example: `  telltale replay audit.telltale --on --policy telltale.yaml
  telltale replay audit.telltale --on --format json

  telltale replay audit.telltale --against https://staging.example.org/v2 \
    --host api.example.org --secret authorization=env:STAGING_TOKEN`,
	},
}
