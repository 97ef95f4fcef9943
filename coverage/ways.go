package coverage

// Ways is the one list of ways in: those of a live audit first, then the formats of
// files.
var Ways = []Way{
	{
		Mode: "http", Title: "HTTP proxy",
		Sees: []string{
			"Every HTTP exchange, WebSocket and TLS connection of apps that use the system's proxy setting.",
		},
		Blind: []string{
			"Apps and system services that ignore the proxy setting pass by it: Flutter and native network stacks do.",
			"UDP passes by it: HTTP/3 (QUIC), WebRTC and NTP.",
			"DNS questions of the device are not in it: behind a proxy, names are resolved by the proxy.",
			"What the device sent before the recording, or after it, is not in it.",
		},
	},
	{
		Mode: "socks5", Title: "SOCKS5 proxy",
		Sees: []string{
			"Every TCP connection and every UDP conversation that a program opens through it.",
		},
		Blind: []string{
			"Programs that were not told to use it pass by it, and many use it for TCP alone.",
			"Names that a program resolves by itself are asked beside it: then only the address is seen.",
			"ICMP and other protocols over IP pass by it.",
		},
	},
	{
		Mode: "transparent", Title: "transparent port",
		Sees: []string{
			"Every TCP connection that the firewall's rules lead here, with the address that the device meant.",
			"DNS questions at port 53 that the rules lead here.",
		},
		Blind: []string{
			"UDP but DNS, and ping, are not recorded. The rules that setup hotspot prints reject QUIC, so that apps come back over TCP, and let the rest go on unseen.",
			"What a device sends through another network, such as cellular, passes by it.",
			"Whether the rules led everything here cannot be counted: nothing is claimed to be complete.",
		},
	},
	{
		Mode: "wireguard", Title: "WireGuard tunnel", Whole: true,
		// Beside a VPN: Android sends its connectivity checks outside of it, even with
		// "Block connections without VPN" (Mullvad's audit, MUL22-03; Google: works as
		// intended). iOS keeps Wi-Fi calling and other services of the carrier outside
		// unless a profile says otherwise, and captive portals and companion devices
		// always (Apple: NEVPNProtocol, includeAllNetworks and excludeCellularServices).
		Sees: []string{
			"Every packet that the tunnel was given: TCP on every port, UDP with DNS and QUIC, ICMP and other protocols, over IPv4 and IPv6.",
			"The address to which each packet was sent, beside the names that were claimed for it.",
		},
		Blind: []string{
			"What the device sent before the tunnel was up, or while it is off, is not in it. Connections that were open already may stay outside.",
			"What the system sends beside every VPN is not in it: connectivity checks of Android, checks for captive portals and services of the carrier (Wi-Fi calling) of iOS.",
			"What stays in the local network may not be in it: AirPlay, casting, printers, a watch that is paired.",
			"Apps that the device's own settings leave out of the tunnel pass by it.",
			"The content of connections that are pinned or passed through stays unread; host, address and amounts are recorded.",
		},
	},
	{
		Mode: "har", Title: "HAR file",
		Sees: []string{
			"What its producer chose to record.",
		},
		Blind: []string{
			"Requests that its producer left out and, as a rule, connections that it could not decrypt are not in it.",
			"Whether its times and headers are right cannot be checked.",
		},
	},
	{
		Mode: "mitmproxy", Title: "flow file of mitmproxy",
		Sees: []string{
			"What went through mitmproxy and could be decrypted.",
		},
		Blind: []string{
			"Clients that refused its certificate, hosts that it was told to ignore and apps that ignored the proxy setting are not in it.",
		},
	},
	{
		Mode: "pcapdroid", Title: "connections listed by PCAPdroid",
		Sees: []string{
			"The connections of the apps that PCAPdroid was told to watch, with the app that made each, on Android.",
		},
		Blind: []string{
			"It has no content: contacts are judged by the host's name or address alone.",
			"Names are those that PCAPdroid saw in DNS, TLS and HTTP; of a connection without any, only the address is known.",
			"Apps that it was told to leave out, and what the system sends beside every VPN, are not in it.",
		},
	},
	{
		Mode: "pcap", Title: "packet capture",
		Sees: []string{
			"The connections and datagrams in the file, with the names in DNS, TLS and QUIC.",
		},
		Blind: []string{
			"Encrypted content stays unread: such contacts are judged by the host's name or address alone.",
			"Packets that were lost, cut short or filtered out when it was made are not in it.",
		},
	},
	{
		Mode: "privacy-report", Title: "App Privacy Report of iOS",
		Sees: []string{
			"The domains that each app contacted, as iOS itself counted them: pinned apps among them.",
		},
		Blind: []string{
			"It has domains and no requests: paths, content, bytes and how a contact ended are not known.",
			"It covers what iOS attributes to apps while the report is on, for seven days at most; services of the system are not in it.",
		},
	},
	{
		Mode: "trackercontrol", Title: "list of TrackerControl",
		Sees: []string{
			"The hosts that each app contacted, as TrackerControl saw them on Android.",
		},
		Blind: []string{
			"It has hosts and no requests: paths, content and, as a rule, how a contact ended are not known.",
			"Apps that it was told to leave out, and what the system sends beside every VPN, are not in it.",
		},
	},
}

// Of returns the way in of flows of this mode; false when there is no such way.
func Of(mode string) (Way, bool) {
	for _, w := range Ways {
		if w.Mode == mode {
			return w, true
		}
	}
	return Way{}, false
}
