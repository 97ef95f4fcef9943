package cmd

// commandWords are what a person reads about one command.
type commandWords struct {
	use, short, long, example string
}

// words holds the texts of every command, by the command's path. They stand
// together so that one voice speaks: plain, short, with an example that works.
var words = map[string]commandWords{
	"telltale": {
		use:   "telltale",
		short: "Shows who an app talks to, and whether it is only who it should be",
		long: `telltale shows who an app talks to, and whether it is only who it should be.

A local proxy records each contact of a test device, an allow-list judges it,
and a report proves the verdict. The same engine judges HAR captures in CI.`,
		example: `  telltale demo
  telltale record --allow '*.canada.ca' --report audit.md
  telltale check capture.har --policy telltale.yaml`,
	},
	"watch": {
		use:   "watch [FILE]",
		short: "Audit live traffic on a screen; or look at a capture",
		long: `Starts the proxy and shows who the device talks to, as it happens: how to
connect it, violations, hosts and flows, and why each of them is judged as it
is. Press ? for the keys. With FILE, a capture of telltale or a HAR, shows that
instead.

With --wireguard, every packet of a device can be seen (telltale setup
wireguard); --socks5 and --transparent are further ways in. X switches
experiments: what does the app do without that host, offline, behind a portal?

Ends with 0 or 2; with --exit-code, as record does.
Exit codes: telltale help exit-codes`,
		example: `  telltale watch --allow '*.canada.ca'
  telltale watch --policy telltale.yaml --save audit.telltale --report audit.md

  # look at what was recorded before
  telltale watch audit.telltale --subtract idle.telltale
  telltale watch capture.har --allow '*.canada.ca'`,
	},
	"record": {
		use:   "record [flags] [-- CMD ARG...]",
		short: "Audit live traffic without a screen: proxy, record, judge, report",
		long: `Starts the proxy and records and judges every flow of the devices that use it.
Ends on SIGINT, SIGTERM or SIGHUP, after --for, or when CMD ends, then prints
the verdict and writes the reports. CMD runs with the proxy and the CA in its
environment.

A proxy sees what apps choose to send through it. --wireguard takes every packet
of a device (telltale setup wireguard), --transparent those of a hotspot's
devices (telltale setup hotspot), --socks5 what is told to use it.

--enforce, --refuse, --simulate and --modify alter what passes, to see what an
app does then. Altered flows say so, and so does the verdict; the report says
what followed. Record a while without them first: telltale watch, then X.

Exit codes: telltale help exit-codes`,
		example: `  # a phone, or curl -x http://127.0.0.1:8080, as the client
  telltale record --allow '*.canada.ca' --report audit.md

  # a UI test run as the client, in CI
  telltale record --policy telltale.yaml --report audit.json -- npm test

  # a whole phone, also the apps that ignore the proxy
  telltale record --wireguard --allow '*.canada.ca' --report audit.md
  telltale record --wireguard=192.0.2.1:51821 --allow '*.canada.ca'

  # what the phone does with the app closed, to be left out of an audit
  telltale record --idle --for 30m --save idle.telltale
  telltale record --policy telltale.yaml --subtract idle.telltale

  # what breaks when it is gone, and behind a sign-in page
  telltale record --policy telltale.yaml --enforce --report audit.md
  telltale record --policy telltale.yaml --simulate captive-portal

  # ten minutes, as JSON lines
  telltale record --events --for 10m > events.jsonl`,
	},
	"locate": {
		use:   "locate APP...",
		short: "Find where in an app a contacted host comes from",
		long: `Finds the file, the code and the library that a host comes from, by which
default, and what turns it off. APP is an APK, AAB, split APKs (.apks, .xapk,
.apkm), IPA, an unpacked .app, a JavaScript bundle, Hermes bytecode, a source
tree, a source map. Nothing of it is run and nobody is contacted.

With --capture, looks for every violating host of a capture; with --host and
--string, for those. With none of them, lists every host that the app mentions,
judged by the policy: what it could contact.

A mention is a lead and no contact: whether the app uses it, a recording tells.

Ends with 0 where something was found, 1 where not, 2 where a part of the app
could not be read.`,
		example: `  telltale locate app.apk --host clients3.google.com
  telltale locate App.ipa --capture audit.telltale --policy telltale.yaml
  telltale locate main.jsbundle --source-map bundle.map --host example.com
  telltale locate app.apk --allow '*.canada.ca'
  telltale locate . --string generate_204 --format json`,
	},
	"check": {
		use:   "check CAPTURE...",
		short: "Judge captures that exist already; made for CI",
		long: `Judges every flow of the captures by the policy: HAR files of any program,
captures of telltale, flow files of mitmproxy; plain, with gzip or in a ZIP
archive; folders of them, or - for standard input.

With --baseline, what an earlier audit had does not count: only what is new
fails. With --subtract, what the device does with the app closed does not count
either. --declaration compares what was seen with what the app says of its own
privacy, --list takes a list of trackers that others keep. A verdict that is
worth little comes with a warning; --strict makes it exit code 2.

Exit codes: telltale help exit-codes`,
		example: `  telltale check capture.har --policy telltale.yaml
  telltale check captures/ --allow '*.canada.ca' --report audit.md
  telltale check run.har.zip --baseline known.json --report audit.sarif
  telltale check audit.telltale --subtract idle.telltale --list hosts.txt
  telltale check audit.telltale --declaration PrivacyInfo.xcprivacy
  curl -s https://ci.example/last.har | telltale check - --format json`,
	},
	"report": {
		use:   "report CAPTURE...",
		short: "Write reports from captures",
		long: `Judges the captures and writes reports. The verdict does not change the exit
code: 2 says that something could not be read or written, 0 everything else.

Without --report, prints the report in --format.`,
		example: `  telltale report audit.telltale --policy telltale.yaml --report audit.md
  telltale report capture.har --allow '*.canada.ca' --format markdown | less`,
	},
	"diff": {
		use:   "diff BEFORE AFTER",
		short: "Say what a change fixed, and what it brought",
		long: `Judges two captures by one policy and says which hosts and violations came,
went and stayed: the proof that a fix works. Each side is a file or a folder
of them, of every kind that check reads; one may be - for standard input.

A violation that is gone is fixed where the capture after shows that it would
have happened: the same app was in use, in the same phase, for as long, and did
what it did before each violation. Else it is not exercised, and the reasons
stand with it.

Exit codes: 1 where the capture after has a violation that the one before lacks,
2 where one is damaged or has no flow (--allow-empty accepts that), 0 otherwise:
also where nothing is fixed. --format json says which.`,
		example: `  telltale diff before.telltale after.telltale --policy telltale.yaml
  telltale diff before.har after.har --allow '*.canada.ca' --report fix.md
  telltale diff before/ after/ --format json`,
	},
	"doctor": {
		use:   "doctor CAPTURE...",
		short: "Say why connections could not be read, and what to do",
		long: `Examines captures, also one that is being recorded: for each device, what works
and what stands in the way of reading what its apps send, with the evidence and
the next step; servers that were not reached, clients that were turned away, a
clock that is wrong; and what the capture cannot tell.

A policy with app.user-agent tells the app from the rest of the device. Services
of Apple and Google refuse every interception: that alone is no finding.

Exit codes: 0 where nothing stands in the way, 1 where something keeps content
of an app from being read, 2 where a capture is damaged or has no contact
(--allow-empty accepts that).`,
		example: `  telltale doctor audit.telltale
  telltale doctor audit.telltale --policy telltale.yaml --device 'Pixel 8'
  telltale doctor captures/ --format json`,
	},
	"flows": {
		use:   "flows CAPTURE",
		short: "List and filter recorded flows",
		long: `Lists the flows of a capture. --where takes words, which must all be there, in
whatever case, in the URL, the headers, the bodies or the verdict of a flow:

  generate_204 "captive portal"

or an expression over the fields below:

  host endsWith ".google.com" and status in 400..499

Texts stand in quotes and compare with == != contains startsWith endsWith
matches (a regular expression, RE2) and in ["GET", "HEAD"], numbers with
== != < <= > >= and in 400..499. Join with and, or, not and brackets. Texts
compare exactly: lower(app) contains "okhttp" does without case. What has the
shape of an expression and is none is a mistake; "in quotes" it is searched for.

FIELDS`,
		example: `  telltale flows audit.telltale --where 'verdict == "violation"'
  telltale flows audit.telltale --where 'method == "HEAD" and status == 204'
  telltale flows audit.telltale --where 'okhttp generate_204'
  telltale flows audit.telltale --subtract idle.telltale -w 'subtracted != ""'
  telltale flows capture.har --search clients3 --format json`,
	},
	"policy": {
		use:   "policy",
		short: "Write, check and question a policy",
		long:  `A policy says who an app may talk to. docs/policy.md describes the file.`,
		example: `  telltale policy init --from capture.har
  telltale policy lint telltale.yaml
  telltale policy explain https://clients3.google.com/generate_204`,
	},
	"policy init": {
		use:   "init",
		short: "Write a first policy, with comments",
		long: `Writes a policy to start from. With --from it lists the hosts of a capture,
grouped by domain, and says which of them are known probes or trackers.`,
		example: `  telltale policy init --name 'COVID Alert'
  telltale policy init --from audit.telltale -o telltale.yaml`,
	},
	"policy lint": {
		use:   "lint [FILE...]",
		short: "Check a policy for errors and doubtful entries",
		long: `Checks policy files. Errors name the line and column and exit with 2; warnings
do not.`,
		example: `  telltale policy lint telltale.yaml`,
	},
	"policy explain": {
		use:   "explain URL...",
		short: "Say which line of the policy decides a URL, and why",
		long: `Says what the policy would make of a request, and which line decides. Exits
with 1 where it would be a violation. A host without https:// stands for a
connection that could not be read. What rows show of flows that are no requests
is understood too: dns:NAME, tcp://HOST:PORT, udp://HOST:PORT, icmp://HOST,
ip://HOST and contact:HOST.`,
		example: `  telltale policy explain https://retrieval.example.canada.ca/config
  telltale policy explain --method HEAD https://clients3.google.com/generate_204
  telltale policy explain --device 'Lab Pixel' https://clients3.google.com/
  telltale policy explain dns:app-measurement.com udp://192.0.2.7:3478`,
	},
	"policy schema": {
		use:   "schema",
		short: "Print the JSON Schema of the policy file, for editors",
		long: `Prints the JSON Schema (draft 2020-12) of policy files. Editors with a YAML
language server complete and check a policy that starts with

  # yaml-language-server: $schema=telltale.schema.json`,
		example: `  telltale policy schema > telltale.schema.json`,
	},
	"ca": {
		use:   "ca",
		short: "Show, export, import, replace, protect or remove the authority",
		long: `telltale signs certificates with an authority of its own, made at first use for
90 days. Whoever has its key can read the traffic of every device that trusts
the certificate: trust it on test devices alone, and remove it afterwards. The
key leaves this machine only by export --with-key, encrypted; a passphrase of
its own makes it worthless to whoever steals the folder.`,
		example: `  telltale ca show
  telltale ca export --format mobileconfig
  telltale ca passphrase
  telltale ca remove`,
	},
	"ca show": {
		use: "show", short: "Show the authority's fingerprint and expiry",
		long: `Shows the certificate authority, and makes it where there is none yet. With
--format json it makes none: exit code 2. An authority that has expired is shown
too. The passphrase of the key is not needed.`,
		example: `  telltale ca show
  telltale ca show --format json`,
	},
	"ca export": {
		use: "export", short: "Write the certificate for a device",
		long: `Writes the authority's certificate, without its key, in the form that a device
takes: pem and der for most, mobileconfig for iOS, p12 for trust stores (its
password is changeit), android under the name of Android's system store.

With --with-key, writes the whole authority for another machine, as pem or p12,
readable by you alone and encrypted with a passphrase, which comes from
--passphrase-file, TELLTALE_FILE_PASSPHRASE or the terminal. There, telltale ca
import reads it.`,
		example: `  telltale ca export --format pem -o telltale-ca.pem
  telltale ca export --format android
  telltale ca export --with-key --format p12 -o lab.p12`,
	},
	"ca import": {
		use: "import FILE [KEYFILE]", short: "Use an authority that devices trust already",
		long: `Takes over an authority with its key, from another machine or from another
program: PEM, DER or PKCS#12, as mitmproxy (mitmproxy-ca.pem), Charles,
Proxyman, Burp and openssl write them. What no device would trust is refused;
what some refuse is a warning. An authority that is there is replaced with
--force alone.

The passphrase of an encrypted file comes from --passphrase-file,
TELLTALE_FILE_PASSPHRASE or the terminal. With --passphrase, the key gets one of
its own here.`,
		example: `  telltale ca import ~/.mitmproxy/mitmproxy-ca.pem
  telltale ca import charles.p12 --force
  telltale ca import burp-ca.der burp-key.der`,
	},
	"ca rotate": {
		use: "rotate", short: "Replace the authority by a new one",
		long: `Makes a new authority in place of the old one. Devices trust the old certificate
until it is removed there, and need the new one. It lives for 90 days unless
--lifetime says otherwise. With --passphrase, its key is never on the disk
without one.`,
		example: `  telltale ca rotate
  telltale ca rotate --lifetime 30d --passphrase`,
	},
	"ca passphrase": {
		use: "passphrase", short: "Protect the authority's key by a passphrase",
		long: `Sets, changes or removes the passphrase of the authority's key. The certificate
stays the same, and devices notice nothing.

The passphrase comes from --ca-passphrase-file, from TELLTALE_CA_PASSPHRASE, or
is asked for at the terminal: here, and whenever watch or record start. Where
there is one already, the new one comes from --new-passphrase-file, from
TELLTALE_CA_NEW_PASSPHRASE, or the terminal.

The former key file is unlinked, not overwritten, which would not reach it on an
SSD: telltale ca rotate --passphrase makes a key that never was without one.`,
		example: `  telltale ca passphrase
  telltale ca passphrase --ca-passphrase-file ~/.telltale-passphrase
  telltale ca passphrase --remove`,
	},
	"ca remove": {
		use: "remove", short: "Remove the authority, first from the devices",
		long: `Shows, for each kind of device, how to remove the authority's certificate from
it; then asks, and deletes key and certificate from this machine. Devices keep
trusting the certificate until it is removed there. With --yes it deletes at
once and shows the steps only of --platform.

Files are unlinked, not overwritten: an SSD keeps the old blocks for a while
whatever is written. A key that always had a passphrase leaves nothing to find.`,
		example: `  telltale ca remove
  telltale ca remove --platform ios
  telltale ca remove --yes`,
	},
	"setup": {
		use:   "setup [PLATFORM]",
		short: "Show how to connect a device, or connect it",
		long: `Shows the addresses of this machine and the steps for each kind of device, and
on a terminal the QR code of the set-up page. Android devices and the simulators
of iOS are connected, and disconnected, by the commands below. So are devices of
every kind whose apps ignore the proxy: by WireGuard, or by a hotspot.`,
		example: `  telltale setup
  telltale setup ios
  telltale setup android
  telltale setup wireguard`,
	},
	"setup android": {
		use:   "android",
		short: "Connect an Android device or emulator by adb, and undo it",
		long: `Sets the device's proxy, leads it to this machine through adb, and has the
device trust the certificate authority:

  with root     as one of the system's own, for every app, until it restarts:
                emulators without Google Play, rooted devices
  without root  pushes the certificate and opens the settings for you; apps of
                Android 7 and later trust it only if they are built to

Nothing is written to the system's partitions. --undo takes everything back,
also after half of it was done, and may be repeated. Without adb or a device,
prints the steps to do by hand. ANDROID_SERIAL names the device where --serial
does not.`,
		example: `  telltale setup android
  telltale setup android --undo

  # look first
  telltale setup android --dry-run
  telltale setup android --dry-run --emulator --api 30

  # over the network, the proxy alone
  telltale setup android --host 192.168.1.2 --store none`,
	},
	"setup ios-simulator": {
		use:   "ios-simulator",
		short: "Have a simulator of iOS trust the authority, by simctl",
		long: `Adds the certificate authority to a booted simulator, by xcrun simctl, and says
how to set the Mac's proxy, which simulators use. --mac-proxy sets that too.

simctl cannot take one certificate back: --undo needs --reset-keychain, which
removes everything that was added to the simulator's keychain.`,
		example: `  telltale setup ios-simulator
  telltale setup ios-simulator --mac-proxy Wi-Fi
  telltale setup ios-simulator --undo --reset-keychain --mac-proxy Wi-Fi`,
	},
	"setup wireguard": {
		use:   "wireguard",
		short: "Connect a device by WireGuard, so that every packet is seen",
		long: `Shows how a device is connected through a WireGuard tunnel, which needs nothing
but the WireGuard app of its store, and writes its configuration into a file
that you alone can read; on a terminal it draws it as a QR code too. Each device
has keys of its own.

Through the tunnel comes every packet of the device: apps that ignore the proxy,
questions of DNS, QUIC, other UDP. The audit has to run with --wireguard.`,
		example: `  telltale setup wireguard
  telltale setup wireguard add tablet
  telltale record --wireguard --allow '*.canada.ca'`,
	},
	"setup wireguard list": {
		use: "list", short: "List the devices that may use the tunnel",
		long:    `Lists the devices of the tunnel, the oldest first. It shows no private key.`,
		example: `  telltale setup wireguard list`,
	},
	"setup wireguard add": {
		use: "add NAME", short: "Make keys for another device",
		long: `Makes keys and addresses for another device and shows how to connect it. An
audit that runs takes it in within seconds.`,
		example: `  telltale setup wireguard add tablet`,
	},
	"setup wireguard remove": {
		use: "remove NAME", short: "Shut a device out of the tunnel",
		long: `Forgets the keys of a device and removes its configuration. They cannot be had
back. An audit that runs shuts it out within seconds.`,
		example: `  telltale setup wireguard remove tablet`,
	},
	"setup hotspot": {
		use:   "hotspot",
		short: "Lead the devices of this machine's hotspot to telltale (Linux)",
		long: `Prints nftables rules for record --transparent: TCP and questions of DNS that
arrive from a hotspot of this machine are led to telltale, whatever the devices
are set to; QUIC is refused, so that apps come back over TCP. Other UDP and ping
go out unseen, and are counted. Nothing outside one table of our own is touched.

With --apply they are in force until Ctrl-C. The kernel removes them when
telltale ends, however it ends.`,
		example: `  telltale setup hotspot --interface wlan0
  telltale setup hotspot --interface wlan0 | sudo nft -f -
  sudo telltale setup hotspot --apply`,
	},
	"demo": {
		use:   "demo",
		short: "Run a whole audit on this machine, without phone or network",
		long: `A stand-in for Canada's COVID Alert app of 2020 talks through the real proxy,
over real TLS, to servers on this machine. The policy allows *.canada.ca alone.
The demo ends with the violation that was in the app, and with the reports of
it: exit code 1. With --watch, it is shown on the screen of telltale watch.

With an experiment, the app lives first without it, then with it, and then
without it again. It asks a second address whether it is online when the first
does not answer: the report says what followed.`,
		example: `  telltale demo
  telltale demo --watch
  telltale demo --enforce
  telltale demo --simulate captive-portal
  telltale demo --output /tmp/demo`,
	},
	"help": {
		use: "help [COMMAND]", short: "Explain a command or a topic",
		long: `Explains a command, or the topic exit-codes.`,
		example: `  telltale help record
  telltale help exit-codes`,
	},
	"version": {
		use: "version", short: "Print the version",
		long: `Prints the version, the Go release and the platform.`, example: `  telltale version`,
	},
	"completion": {
		use:   "completion SHELL",
		short: "Print a completion script for bash, zsh, fish or powershell",
		long:  `Prints a script that completes commands, flags and their values in your shell.`,
		example: `  source <(telltale completion bash)
  telltale completion zsh > "${fpath[1]}/_telltale"
  telltale completion fish > ~/.config/fish/completions/telltale.fish`,
	},
	"exit-codes": {
		use:   "exit-codes",
		short: "What the exit codes mean",
		long:  `Commands that judge end with one of three codes:`,
		example: `report does not judge: it ends with 0, or with 2 where something could not be
read or written. Where some inputs could not be read, the others are still
judged and reported.
`,
	},
}
