package cadence

import (
	"math"
	"strconv"
	"time"
)

// units are what periods are told in, the longest first.
var units = []struct {
	length      time.Duration
	one, plural string
}{
	{24 * time.Hour, "day", "days"},
	{time.Hour, "hour", "hours"},
	{time.Minute, "minute", "minutes"},
	{time.Second, "second", "s"},
}

// String says the period in words: "every minute", "every 5 s", "every 2 hours". Since
// periods are known to a few parts in a hundred, numbers have no more than two digits
// that say something. It is "" for no rhythm.
func (r Rhythm) String() string {
	if r.Every <= 0 {
		return ""
	}
	for _, u := range units {
		n := float64(r.Every) / float64(u.length)
		if n < 0.95 {
			continue
		}
		switch n = twoDigits(n); {
		case n == 1:
			return "every " + u.one
		case n >= 2 || u.length == time.Second:
			return "every " + strconv.FormatFloat(n, 'f', -1, 64) + " " + u.plural
		}
		// "every 90 minutes" is easier than "every 1.5 hours".
	}
	return "every " + strconv.FormatInt(max(r.Every.Milliseconds(), 1), 10) + " ms"
}

// twoDigits rounds to a whole number where one is as near as a period is known, else to
// two digits.
func twoDigits(n float64) float64 {
	if whole := math.Round(n); math.Abs(n-whole) <= 0.05*n && n < 100 {
		return whole
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(n, 'e', 1, 64), 64)
	if err != nil {
		return n
	}
	return rounded
}
