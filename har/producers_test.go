package har_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each producer's way of writing HAR, cut down to what is special about it.
func TestProducers(t *testing.T) {
	tests := []struct {
		file, producer string
		entries        int
		flows          []string
		skipped        map[string]int
		notes          []string
	}{
		{"chrome.har", "WebInspector 537.36", 6, []string{
			"1:7 http completed POST https://api.example/v1/items?q=a%20b 200 HTTP/2",
			"2:32 http upstream-failed GET https://ads.example/pixel 0 dns",
			"5:51 websocket completed GET wss://live.example/socket 101",
			"6:62 http abandoned GET https://slow.example/video 206 HTTP/3",
		}, map[string]int{"data": 1, "chrome-extension": 1}, nil},
		{"firefox.har", "Firefox 128", 2, []string{
			"1:8 http completed GET https://www.example/img.png 200 HTTP/2",
			"2:15 http upstream-failed GET https://tracker.example/t.js 0 HTTP/3",
		}, nil, nil},
		{"safari.har", "WebKit Web Inspector 1.0", 1, []string{"1:7 http completed GET https://shop.example/ 200 HTTP/2"}, nil, nil},
		{"charles.har", "Charles Proxy 4.6.4", 3, []string{
			"1:2 http completed GET https://charles.example/a 302 HTTP/1.1",
			"2:5 tunnel tunnelled CONNECT tcp://pinned.example:443 0",
		}, nil, []string{"CONNECT rows of requests that are in the file too, not counted again: 1."}},
		{"proxyman.har", "Proxyman 5.1", 1, []string{"1:2 http completed GET https://proxyman.example/x 200 HTTP/1.1"}, nil, nil},
		{"fiddler.har", "Fiddler 4.6", 1, []string{"1:1 http completed POST http://fiddler.example/form 204 HTTP/1.1"}, nil, nil},
		{"mitmproxy.har", "mitmproxy 10.2", 2, []string{
			"1:7 http completed POST https://mitm.example/upload 200 HTTP/2",
			"2:15 http upstream-failed GET https://down.example/ 0 HTTP/1.1 refused",
		}, nil, nil},
		{"httptoolkit.har", "HTTP Toolkit 1.0", 1, []string{
			"1:3 http completed POST https://toolkit.example/p 200 HTTP/1.1",
			"0:6 tunnel client-refused CONNECT https://pinned.example 0",
			"0:7 tunnel handshake-failed CONNECT https://old.example 0",
			"0:8 tunnel client-refused CONNECT  0",
		}, nil, nil},
		{"playwright.har", "Playwright 1.50", 2, []string{
			"1:2 http completed GET https://play.example/ 200 HTTP/1.1",
			"2:3 http abandoned GET https://cancelled.example/ 0 HTTP/1.1",
		}, nil, []string{"Bodies that are kept in files beside the capture, left out: 1."}},
		{"insomnia.har", "Insomnia REST Client insomnia.desktop.app:v8.6", 1, []string{"1:2 http completed PUT https://insomnia.example/api 200 HTTP/1.1"}, nil, nil},
		{"webpagetest.har", "WebPagetest 1.8", 1, []string{"1:2 http completed GET https://wpt.example/ 200"}, nil, nil},
		{"handmade.har", "", 2, []string{
			"1:2 http upstream-failed GET https://hand.example/one 0",
			"2:3 http completed GET http://hand.example/two 200",
		}, nil, []string{
			"Entries without a date that can be read: 1.", "Dates without a time zone, read as UTC: 1.", "Requests without a method, read as GET: 1.",
		}},
		{"slack.har", "slack 4", 1, []string{"1:2 http completed POST https://slack.example/api 200 HTTP/2"}, nil, nil},
		{"adguard.har", "AdGuard 4.3", 2, []string{
			"1:2 http completed GET https://guard.example/v2/check?x=1 200 HTTP/1.1",
			"2:3 http completed GET https://h2.example:8443/h2 200 HTTP/2",
		}, nil, []string{"URLs that do not say whether they were encrypted, read as https: 1."}},
		{"edge.har", "WebInspector 537.36", 4, []string{
			"1:4 http completed GET https://edge.example/ 200 HTTP/3",
			"4:7 http completed GET https://edge.example/login 200 HTTP/3",
		}, map[string]int{"edge": 1, "extension": 1}, nil},
		{"puppeteer.har", "chrome-har 1.2.0", 1, []string{"1:4 http completed POST https://puppet.example/api 200 HTTP/1.1"}, nil, nil},
		{"sitespeed.har", "Browsertime 23.5.0", 2, []string{
			"1:4 http completed GET https://speed.example/style.css 200 HTTP/2",
			"2:5 http completed GET https://cdn.speed.example/font.woff2 200 HTTP/2",
		}, nil, nil},
		{"browsermob.har", "BrowserMob Proxy 2.1.5", 3, []string{
			"1:2 http completed POST https://mob.example/list?x=1 200 HTTP/1.1",
			"2:3 http upstream-failed GET http://gone.example/ 0 HTTP/1.1 dns",
			"3:4 tunnel upstream-failed CONNECT tcp://deaf.example:443 0",
		}, nil, nil},
		{"pcapdroid.har", "PCAPdroid 1.9.0", 4, []string{
			"1:6 http completed POST https://pcap.example/upload 200 HTTP/1.1",
			"2:7 websocket completed GET https://pcap.example/live 101",
			"3:8 http upstream-failed GET https://pinned.example 0 HTTP/1.1",
			"4:9 http upstream-failed GET http://reset.example/ 0 HTTP/1.1",
		}, nil, []string{
			"Requests without a method, read as GET: 1.", "URLs that do not say whether they were encrypted, read as https: 1.",
		}},
		{"zap.har", "ZAP 2.15.0", 3, []string{
			"1:6 http completed POST https://zap.example/login 200 HTTP/1.1",
			"2:7 http completed GET http://zap.example/ 200 HTTP/1.1",
			"3:8 http upstream-failed GET https://silent.example/ 0 HTTP/1.1",
		}, nil, nil},
		{"cypress.har", "@neuralegion/cypress-har-generator 5.17.0", 2, []string{
			"1:2 http completed GET https://cypress.example/users 200 HTTP/1.1",
			"2:3 websocket completed GET wss://cypress.example/socket 101",
		}, nil, nil},
		{"ie.har", "Internet Explorer Network Inspector 11.0.9600.18315", 2, []string{
			"1:2 http completed GET http://ie.example/style.css 200 HTTP/1.1",
			"2:3 http completed POST https://ie.example/form 302 HTTP/1.1",
		}, nil, nil},
		{"httpwatch.har", "HttpWatch Basic 8.1.13", 1, []string{"1:25 http completed GET https://watch.example/mail?service=mail 302 HTTP/1.1"}, nil, nil},
		{"firebug.har", "Firebug 1.12", 1, []string{"1:2 http completed GET http://bug.example/ 200 HTTP/1.1"}, nil, nil},
		{"phantomjs.har", "PhantomJS 1.9.2", 2, []string{"1:4 http completed GET http://phantom.example/a.png 200 HTTP/1.1"}, map[string]int{"data": 1}, nil},
		{"chromedp.har", "chromedp 0.1.0", 2, []string{
			"1:2 http upstream-failed GET https://dp.example/js 0",
			"2:3 http completed GET https://dp.example/ 200 HTTP/2",
		}, nil, nil},
		{"splash.har", "Splash 2.3.2", 2, []string{
			"1:3 http completed GET https://splash.example/app.js 200 HTTP/1.1",
			"2:4 http upstream-failed GET https://slow.example/ 0 HTTP/1.1",
		}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			flows, info, err := read(t, sample(t, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range flows {
				got = append(got, line(f))
			}
			if !slices.Equal(got, tt.flows) {
				t.Errorf("flows:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tt.flows, "\n"))
			}
			if info.Producer != tt.producer || info.Entries != tt.entries || !slices.Equal(info.Notes, tt.notes) {
				t.Errorf("info %+v", info)
			}
			if fmt.Sprint(info.Skipped) != fmt.Sprint(tt.skipped) {
				t.Errorf("skipped %v, want %v", info.Skipped, tt.skipped)
			}
		})
	}
	files, err := filepath.Glob("testdata/*.har")
	if err != nil || len(files) != len(tests) {
		t.Errorf("%d samples and %d tests, error %v", len(files), len(tests), err)
	}
}
