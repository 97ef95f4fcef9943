package proxy

import (
	"io"
	"net/http"
	"testing"

	"telltale/flow"
)

// BenchmarkAdmission is a request of many on a connection, and a connection with one
// request: where nobody decides about them, and where somebody does who lets all pass.
func BenchmarkAdmission(b *testing.B) {
	asks := map[string]func(*Config){
		"nobody":  func(*Config) {},
		"nothing": func(c *Config) { c.Admit = func(*flow.Flow) Decision { return Decision{} } },
	}
	for _, who := range []string{"nobody", "nothing"} {
		for name, edit := range map[string]func(*http.Transport){
			"h1/request": onlyH1, "h2/request": exact,
			"h1/connection": func(tr *http.Transport) { onlyH1(tr); tr.DisableKeepAlives = true },
		} {
			b.Run(name+"/"+who, func(b *testing.B) {
				r := newRig(b, func(c *Config) { c.Recorder = new(counter) }, asks[who])
				c, url := r.client(edit), "https://"+benchOrigin(b, r.ca, 200)
				measure(b, func() {
					resp, err := c.Get(url)
					must(b, err)
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				})
				c.CloseIdleConnections()
			})
		}
	}
}
