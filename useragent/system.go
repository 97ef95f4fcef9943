package useragent

import (
	"regexp"
	"strings"
)

// systems are the ways in which systems are named, the longer before the shorter.
var systems = []struct {
	name string
	os   OS
}{
	{"CPU iPhone OS", IOS},
	{"CPU OS", IOS},
	{"iPhone OS", IOS},
	{"iPadOS", IOS},
	{"iOS", IOS},
	{"Intel Mac OS X", MacOS},
	{"PPC Mac OS X", MacOS},
	{"Mac OS X", MacOS},
	{"macOS", MacOS},
	{"Android", Android},
	{"Windows NT", Windows},
	{"Windows", Windows},
	{"CrOS", ChromeOS},
	{"Linux", Linux},
}

// systemOf reads a text that begins with a system: "iOS 17.4", "iPhone OS,17.4.1,21E236",
// "CPU iPhone OS 17_5 like Mac OS X".
func systemOf(text string) (os OS, version string, ok bool) {
	for _, s := range systems {
		rest, ok := strings.CutPrefix(text, s.name)
		if !ok || rest != "" && !strings.ContainsRune(" /,", rune(rest[0])) {
			continue
		}
		return s.os, versionOf(strings.TrimLeft(rest, " /,")), true
	}
	return "", "", false
}

// versionOf returns the version at the start of a text, "" where there is none.
func versionOf(text string) string {
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] == '.' || text[end] == '_') {
		end++
	}
	return strings.Trim(strings.ReplaceAll(text[:end], "_", "."), ".")
}

// system reads what comments and products say of the system and the device.
func (h *header) system() Agent {
	var a Agent
	for _, c := range h.comments {
		a.take(c.fields)
	}
	if a.OS == "" {
		for _, p := range h.products {
			if os, version, ok := systemOf(p.name + "/" + p.version); ok {
				a.OS, a.Version = os, version
				break
			}
		}
	}
	if os, version, ok := systemOf(h.text); ok && a.OS == "" && version != "" { // a name of several words
		a.OS, a.Version = os, version
	}
	if model := appleModel.FindStringSubmatch(h.text); model != nil {
		a.OS, a.Model = IOS, strings.Replace(model[1], "%2C", ",", 1)
		if a.Version == "" {
			a.Version = versionOf(strings.TrimPrefix(h.text[strings.Index(h.text, model[1])+len(model[1]):], "/"))
		}
	}
	if a.OS == "" {
		a.OS = h.known()
	}
	return a.settle()
}

// appleModel is what Apple calls a model: "iPhone15,2".
var appleModel = regexp.MustCompile(`\b((?:iPhone|iPad|iPod)\d{1,2}(?:,|%2C)\d{1,2})\b`)

func isModel(s string) bool { return appleModel.MatchString(s) }

// take reads the fields of one comment.
func (a *Agent) take(fields []string) {
	for i, f := range fields {
		switch f {
		case "iPhone", "iPad", "iPod", "iPod touch":
			a.OS, a.Model = IOS, f
			continue
		}
		os, version, ok := systemOf(f)
		switch {
		case !ok || a.OS != "" && a.OS != os && a.OS != Linux:
			if strings.Contains(f, "platformVersionRelease=") {
				a.playStore(f)
			}
			continue
		case os == Android && a.OS != Android:
			a.Model = androidModel(fields[i+1:])
		}
		if a.OS = os; version != "" {
			a.Version = version
		}
	}
}

// androidModel returns the model from the fields behind "Android 14". Programs put
// languages, builds and their own marks between.
func androidModel(fields []string) string {
	for _, f := range fields {
		f, _, _ = strings.Cut(f, " Build/")
		switch {
		case f == "", f == "U", f == "wv", f == "Mobile", f == "Tablet", locale.MatchString(f), strings.HasPrefix(f, "rv:"):
			continue
		case strings.Contains(f, "/"), strings.Contains(f, ":"):
			return ""
		}
		return f
	}
	return ""
}

// locale is a language as "en", "en_US" or "zh-Hans-CN".
var locale = regexp.MustCompile(`^[a-z]{2,3}([-_][A-Za-z]{2,4}){0,2}$`)

// playStore reads the one field of the Play Store's comment: "api=3,model=Pixel%208,…".
func (a *Agent) playStore(field string) {
	a.OS = Android
	for pair := range strings.SplitSeq(field, ",") {
		switch key, value, _ := strings.Cut(pair, "="); key {
		case "platformVersionRelease":
			a.Version = versionOf(value)
		case "model":
			a.Model = decoded(value)
		}
	}
}

// known returns the system of programs that exist on one system alone and do not name it.
func (h *header) known() OS {
	for _, k := range []struct {
		name string
		os   OS
	}{
		{"GoogleAuth/", Android}, // Google Play services
		{"Dalvik/", Android},
		{"AndroidDownloadManager/", Android},
		{"Android-Finsky/", Android}, // Play Store
		{"Microsoft-CryptoAPI/", Windows},
		{"Microsoft-Delivery-Optimization/", Windows},
		{"Microsoft NCSI", Windows},
		{"Windows-Update-Agent/", Windows},
		{"CaptiveNetworkSupport", Apple},
		{"MobileSafari/", IOS},
	} {
		if strings.HasPrefix(h.text, k.name) {
			return k.os
		}
	}
	return ""
}

// settle drops what is frozen and therefore says nothing.
//
// Chrome on Android says "Android 10; K" (chromium.org, "User-Agent Reduction"). Every
// Windows since 10 is "NT 10.0". Browsers on macOS say 10.15 since version 11 of it.
func (a Agent) settle() Agent {
	switch a.OS {
	case Android:
		if a.Model == "K" {
			a.Model, a.Version = "", ""
		}
	case Windows:
		a.Version = map[string]string{"6.1": "7", "6.2": "8", "6.3": "8.1"}[a.Version]
	case MacOS:
		if a.Version == "10.15" || strings.HasPrefix(a.Version, "10.15.") {
			a.Version = ""
		}
	case ChromeOS, Linux:
		a.Version = "" // a platform or kernel
	}
	return a
}
