package main

import "testing"

func TestSettle(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"times keep their distance": {"\x1b[90m23:59:58\x1b[39m to 23:59:59", "\x1b[90m10:32:07\x1b[39m to 10:32:08"},
		"durations keep their size": {"\x1b[90m 84ms 7ms 843µs 2.9s", "\x1b[90m 80ms 7ms 800µs 2.9s"},
		"rates":                     {"1.3/s 0/s 12/s", "2.0/s 2/s  2/s"},
		"recording":                 {"● rec 9s|● rec 58s|rec 2m01s", "● rec 48s|● rec 48s|rec 2m01s"},
		"ports of the phone":        {"192.168.1.31:49152 192.168.1.20:8080", "192.168.1.31:52718 192.168.1.20:8080"},
		"dates":                     {"2031-01-02", "2026-11-21"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := settle(c.in); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if again := settle(settle(c.in)); again != settle(c.in) {
				t.Errorf("settled twice it is another one: %q", again)
			}
		})
	}
}
