package setup

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"rsc.io/qr"
)

const typicalPage = "http://192.168.100.200:8080/"

// dark turns what Blocks drew back into modules, as a terminal shows them: text
// is dark, or light with inverse.
func dark(t *testing.T, rows []string, inverse bool) [][]bool {
	t.Helper()
	var modules [][]bool
	for _, row := range rows {
		var above, below []bool
		for _, glyph := range row {
			i := slices.Index([]rune(" ▄▀█"), glyph)
			if i < 0 {
				t.Fatalf("%q is no block", glyph)
			}
			above, below = append(above, i&2 != 0 != inverse), append(below, i&1 != 0 != inverse)
		}
		modules = append(modules, above, below)
	}
	return modules
}

func TestBlocksAreTheCode(t *testing.T) {
	for _, text := range []string{"", "http://10.0.0.1/", typicalPage, "http://[2001:db8:1234:5678:9abc:def0:1234:5678]:8080/", strings.Repeat("a", 400)} {
		c, err := QR(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, quiet := range []int{0, 1, 2, 4} {
			for _, inverse := range []bool{false, true} {
				rows := c.Blocks(quiet, inverse)
				side := c.Size() + 2*quiet
				if len(rows) != (side+1)/2 {
					t.Errorf("%q: %d rows for %d modules", text, len(rows), side)
				}
				for _, row := range rows {
					if utf8.RuneCountInString(row) != side {
						t.Errorf("%q: a row of %d columns for %d modules", text, utf8.RuneCountInString(row), side)
					}
				}
				for y, row := range dark(t, rows, inverse) {
					for x, got := range row {
						if want := c.code.Black(x-quiet, y-quiet); got != want {
							t.Fatalf("%q, quiet zone %d, inverse %v: module %d,%d is dark: %v", text, quiet, inverse, x, y, got)
						}
					}
				}
			}
		}
	}
}

// A decoder that is not ours reads what a terminal would show, in both
// polarities and with either margin.
func TestCameraReadsBlocks(t *testing.T) {
	zbarimg, err := exec.LookPath("zbarimg")
	if err != nil {
		t.Skip("zbarimg (zbar-tools) is not installed: nothing here can decode a picture")
	}
	for _, text := range []string{"http://10.0.0.1:80/", typicalPage, "http://[2001:db8:1234:5678:9abc:def0:1234:5678]:8080/"} {
		c, err := QR(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, quiet := range []int{2, 4} {
			for _, inverse := range []bool{false, true} {
				file := filepath.Join(t.TempDir(), "code.png")
				paint(t, file, dark(t, c.Blocks(quiet, inverse), inverse))
				got, err := exec.Command(zbarimg, "--quiet", "--raw", file).Output()
				if err != nil || strings.TrimSpace(string(got)) != text {
					t.Errorf("%s, quiet zone %d, inverse %v: read as %q, %v", text, quiet, inverse, got, err)
				}
			}
		}
	}
}

// paint writes modules as a picture on a ground as dark as a terminal's.
func paint(t *testing.T, file string, modules [][]bool) {
	t.Helper()
	const scale, border = 6, 20
	picture := image.NewGray(image.Rect(0, 0, len(modules[0])*scale+2*border, len(modules)*scale+2*border))
	for y, row := range modules {
		for x, isDark := range row {
			for i := range scale * scale {
				if !isDark {
					picture.SetGray(border+x*scale+i%scale, border+y*scale+i/scale, color.Gray{Y: 255})
				}
			}
		}
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, picture); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCodeIsSmallAndRobust(t *testing.T) {
	for text, want := range map[string]struct {
		size  int
		level qr.Level
	}{
		"http://10.0.0.1/":           {21, qr.L},
		"http://10.0.0.1:8080/":      {25, qr.M},
		"http://192.168.1.5:8080/":   {25, qr.M},
		"http://192.168.100.20:8080": {25, qr.M},
		typicalPage:                  {25, qr.L},
	} {
		c, err := QR(text)
		if err != nil {
			t.Fatal(err)
		}
		same, err := qr.Encode(text, want.level)
		if err != nil {
			t.Fatal(err)
		}
		if c.Size() != want.size || !slices.Equal(c.code.Bitmap, same.Bitmap) {
			t.Errorf("%s: %d modules, want %d at level %d", text, c.Size(), want.size, want.level)
		}
	}
}

func TestQRGolden(t *testing.T) {
	c, err := QR(typicalPage)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "qr.txt", []byte(strings.Join(c.Blocks(2, false), "\n")+"\n\n"+strings.Join(c.Blocks(4, true), "\n")+"\n"))
}

func TestQRLimits(t *testing.T) {
	if c, err := QR(strings.Repeat("ä", 2953/2)); err != nil || c.Size() != 177 {
		t.Errorf("the longest text: %d modules, %v", c.Size(), err)
	}
	if c, err := QR(strings.Repeat("\x00", 2954)); err == nil || c.Size() != 0 || c.Blocks(2, false) != nil || !strings.Contains(err.Error(), "2954 bytes") {
		t.Errorf("a text that is too long: %d modules, %v", c.Size(), err)
	}
}
