package attribution

import (
	"regexp"
	"strings"
)

// isLibrary reports whether a product of a User-Agent is what apps are made with, and no
// app. Case, blanks, hyphens and a version behind the name make no difference.
func isLibrary(product string) bool {
	name := productVersion.ReplaceAllString(strings.ToLower(product), "")
	name = strings.NewReplacer(" ", "-", "_", "-").Replace(name)
	for _, prefix := range libraryPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return libraries[name]
}

// productVersion is a version that is not behind a slash: "FBiOSSDK.18.0.2", "Faraday v2.7".
var productVersion = regexp.MustCompile(`[ ._-]v?[0-9][0-9.]*$`)

// libraries are the names of clients for HTTP and of kits for statistics, crashes, payment
// and advertising, as isLibrary spells them.
var libraries = setOf(`
	okhttp okhttp3 dalvik dart dart:io cfnetwork darwin alamofire afnetworking nsurlsession go-http-client java java-http-client
	apache-httpclient google-http-java-client google-api-java-client ktor ktor-client cronet libcurl curl wget volley retrofit reactnative
	react-native expo unityplayer unity mozilla python python-requests python-urllib python-urllib3 python-httpx aiohttp urllib3 axios node
	node-fetch node-superagent superagent undici got guzzle guzzlehttp faraday ruby rest-client php perl libwww-perl reqwest hyper
	grpc-java-okhttp grpc-java-cronet grpc-objc grpc-swift-nio grpc-c++ grpc-go com.apple.webkit.networking
	fbiossdk fbandroidsdk sentrycocoa sentry googleanalytics google-analytics stripe stripe-android stripe-ios datadog dd-sdk-ios
	dd-sdk-android embrace appsflyer appsflyer-sdk adjust amplitude mixpanel bugsnag crashlytics
`)

// libraryPrefixes are those of families.
var libraryPrefixes = []string{"sentry-", "sentry."}

func setOf(names string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(names) {
		set[name] = true
	}
	return set
}
