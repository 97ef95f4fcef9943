package pretty

import (
	"bytes"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strconv"

	"golang.org/x/image/webp"
)

// maxHead is how much of a file is shown that is named by its first bytes.
const maxHead = 256

// kind is a format that its first bytes name.
type kind struct {
	name   string
	at     int // where the bytes stand
	bytes  string
	config func(io.Reader) (image.Config, error) // nil when only the name is known
}

// kinds are what apps exchange that is no text. Each signature is as in the
// format's own specification; those of images as in WHATWG MIME Sniffing, 6.1.
var kinds = []kind{
	{"PNG", 0, "\x89PNG\r\n\x1a\n", png.DecodeConfig},
	{"JPEG", 0, "\xff\xd8\xff", jpeg.DecodeConfig},
	{"GIF", 0, "GIF87a", gif.DecodeConfig},
	{"GIF", 0, "GIF89a", gif.DecodeConfig},
	{"WebP", 8, "WEBPVP8", webp.DecodeConfig},
	{"AVIF", 4, "ftypavif", nil},
	{"AVIF", 4, "ftypavis", nil},
	{"HEIC", 4, "ftyphei", nil},
	{"HEIC", 4, "ftypmif1", nil},
	{"MP4", 4, "ftyp", nil},
	{"ICO", 0, "\x00\x00\x01\x00", nil},
	{"PDF", 0, "%PDF-", nil},
	{"WOFF", 0, "wOFF", nil},
	{"WOFF2", 0, "wOF2", nil},
	{"TrueType font", 0, "\x00\x01\x00\x00\x00", nil},
	{"OpenType font", 0, "OTTO\x00", nil},
	{"ZIP", 0, "PK\x03\x04", nil},
	{"gzip", 0, "\x1f\x8b\x08", nil},
	{"Zstandard", 0, "\x28\xb5\x2f\xfd", nil},
	{"SQLite", 0, "SQLite format 3\x00", nil},
	{"WebAssembly", 0, "\x00asm", nil},
	{"Ogg", 0, "OggS\x00", nil},
	{"WebM or Matroska", 0, "\x1a\x45\xdf\xa3", nil},
	{"MP3", 0, "ID3\x02", nil},
	{"MP3", 0, "ID3\x03", nil},
	{"MP3", 0, "ID3\x04", nil},
	{"WAV", 8, "WAVEfmt ", nil},
	{"binary property list", 0, "bplist00", nil},
}

// fact shows what is known of a file that its first bytes name, and returns its
// format; "" when they name none.
func (p *page) fact(data []byte) string {
	for _, k := range kinds {
		if len(data) < k.at || !bytes.HasPrefix(data[k.at:], []byte(k.bytes)) {
			continue
		}
		p.property("format", k.name)
		if k.config != nil {
			if c, err := k.config(bytes.NewReader(data)); err == nil {
				p.property("pixels", strconv.Itoa(c.Width)+"×"+strconv.Itoa(c.Height))
			} else {
				p.note("the head of the image cannot be read: %v", err)
			}
		}
		p.property("size", size(int64(len(data))))
		if k.config == nil {
			p.dump(data, maxHead)
		}
		return k.name
	}
	return ""
}

// property shows a fact of ours.
func (p *page) property(name, value string) {
	p.line(0)
	p.add(Key, name)
	p.add(Punctuation, " = ")
	p.add(Plain, value)
}
