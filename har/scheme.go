package har

import "strings"

// ports are the protocols of which a URL names the server, with the ports that
// IANA has for them: the web's, and others that debugging proxies and browsers
// put into a HAR.
var ports = map[string]string{
	"https": "443", "http": "80", "wss": "443", "ws": "80",
	"ftp": "21", "ftps": "990", "sftp": "22", "ssh": "22",
	"mqtt": "1883", "mqtts": "8883", "amqp": "5672", "amqps": "5671",
	"coap": "5683", "coaps": "5684", "rtsp": "554", "rtsps": "322",
	"stun": "3478", "stuns": "5349", "turn": "3478", "turns": "5349",
	"rtmp": "1935", "rtmps": "443", "redis": "6379", "rediss": "6379",
	"ldap": "389", "ldaps": "636", "imap": "143", "imaps": "993",
	"smtp": "25", "smtps": "465", "nats": "4222", "gopher": "70",
}

// demandsHost reports whether an entry is damaged when its URL of this scheme
// names no host: browsers write these themselves.
func demandsHost(scheme string) bool {
	return isWeb(scheme) || scheme == "ftp" || scheme == "ftps"
}

// isWeb reports whether a scheme is HTTP, or WebSocket that begins as HTTP.
func isWeb(scheme string) bool {
	switch scheme {
	case "https", "http", "wss", "ws":
		return true
	}
	return false
}

// local are the schemes of what never leaves the device: content that stands in
// the URL, a browser's own pages and extensions, the files of an app, a socket of
// the machine, and links that another app opens.
var local = map[string]bool{
	"about": true, "blob": true, "cid": true, "data": true, "file": true, "filesystem": true, "javascript": true, "urn": true,
	"brave": true, "cached-favicon": true, "chrome": true, "devtools": true, "edge": true, "extension": true, "isolated-app": true,
	"jar": true, "opera": true, "res": true, "resource": true, "view-source": true, "vivaldi": true, "wyciwyg": true,
	"android-app": true, "app": true, "capacitor": true, "content": true, "intent": true, "ionic": true, "ios-app": true,
	"itms": true, "itms-apps": true, "market": true, "ms-appx": true, "ms-appx-web": true, "ms-local-stream": true,
	"callto": true, "facetime": true, "facetime-audio": true, "geo": true, "magnet": true, "mailto": true, "maps": true,
	"mms": true, "mmsto": true, "sms": true, "smsto": true, "tel": true,
	"http+unix": true, "https+unix": true, "npipe": true, "unix": true, "ws+unix": true, "wss+unix": true,
}

// isLocal reports whether URLs of a scheme lead to no server. Families are known
// by their names: browsers' extensions and pages, and the schemes of apps, which
// are reversed domain names (RFC 8252, 7.1).
func isLocal(scheme string) bool {
	return local[scheme] || strings.HasSuffix(scheme, "-extension") || strings.HasPrefix(scheme, "chrome-") ||
		strings.HasPrefix(scheme, "moz-") || strings.HasPrefix(scheme, "vscode-") || strings.Contains(scheme, ".")
}

// namesHostAtOnce reports whether the host follows the scheme's colon without
// "//", as in the addresses of STUN and TURN (RFC 7064, 3.1; RFC 7065, 3.1).
func namesHostAtOnce(scheme string) bool {
	switch scheme {
	case "stun", "stuns", "turn", "turns":
		return true
	}
	return false
}
