package har

import (
	"errors"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// These are the objects of HAR 1.2 as they are written, with every member that
// some importer needs and numbers wherever one is due: Chrome shows NaN for the
// rest, Firefox refuses a log without pages. Members with an underscore are those
// of Chrome, Playwright and HTTP Toolkit where they have a name for the thing.
// Reading has no types: it takes what is there (read.go, entry.go).

type entry struct {
	StartedDateTime string    `json:"startedDateTime"`
	Time            float64   `json:"time"`
	Request         *request  `json:"request,omitzero"`  // always there in an entry
	Response        *response `json:"response,omitzero"` // always there in an entry
	Cache           *struct{} `json:"cache,omitzero"`    // always there in an entry
	Timings         *phases   `json:"timings,omitzero"`  // always there in an entry
	ServerIPAddress string    `json:"serverIPAddress,omitzero"`
	ServerPort      uint16    `json:"_serverPort,omitzero"`
	ResourceType    string    `json:"_resourceType,omitzero"`
	Security        *security `json:"_securityDetails,omitzero"`
	Error           string    `json:"_error,omitzero"`
	Messages        []frame   `json:"_webSocketMessages,omitempty"`
	Comment         string    `json:"comment,omitzero"`
	Telltale        *record   `json:"_telltale"`
}

type request struct {
	Method      string      `json:"method"`
	URL         string      `json:"url"`
	HTTPVersion string      `json:"httpVersion"`
	Cookies     []cookie    `json:"cookies"`
	Headers     []pair      `json:"headers"`
	QueryString []pair      `json:"queryString"`
	PostData    *postData   `json:"postData,omitzero"`
	HeadersSize int64       `json:"headersSize"`
	BodySize    int64       `json:"bodySize"`
	Content     *rawContent `json:"_content,omitzero"`
	Trailers    []pair      `json:"_trailers,omitempty"`
}

type response struct {
	Status       int         `json:"status"`
	StatusText   string      `json:"statusText"`
	HTTPVersion  string      `json:"httpVersion"`
	Cookies      []cookie    `json:"cookies"`
	Headers      []pair      `json:"headers"`
	Content      bodyContent `json:"content"`
	RedirectURL  string      `json:"redirectURL"`
	HeadersSize  int64       `json:"headersSize"`
	BodySize     int64       `json:"bodySize"`
	TransferSize int64       `json:"_transferSize"`
	Error        string      `json:"_error,omitzero"`
	Trailers     []pair      `json:"_trailers,omitempty"`
}

type pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type cookie struct {
	Name     string `json:"name"`
	Value    string `json:"value"`
	Path     string `json:"path,omitzero"`
	Domain   string `json:"domain,omitzero"`
	Expires  string `json:"expires,omitzero"` // ISO 8601
	HTTPOnly bool   `json:"httpOnly"`
	Secure   bool   `json:"secure"`
	SameSite string `json:"sameSite,omitzero"`
}

type postData struct {
	MimeType string `json:"mimeType"`
	Text     string `json:"text"`
	Size     int64  `json:"size,omitzero"` // of a content that is kept outside
	*outside
}

// outside says where a content is kept that is not in the file.
type outside struct {
	File    string `json:"_file"`
	SHA256  string `json:"_sha256"`
	Expires string `json:"_expires,omitzero"`
}

// rawContent is where a request's body stands that is no text.
type rawContent struct {
	Size     int64  `json:"size"`
	Text     string `json:"text"`
	Encoding string `json:"encoding"`
}

type bodyContent struct {
	Size     int64   `json:"size"`
	MimeType string  `json:"mimeType"`
	Text     *string `json:"text,omitzero"`
	Encoding string  `json:"encoding,omitzero"`
	*outside
}

// phases are the timings; all seven are always there.
type phases struct {
	Blocked float64 `json:"blocked"`
	DNS     float64 `json:"dns"`
	Connect float64 `json:"connect"`
	SSL     float64 `json:"ssl"`
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
}

type security struct {
	Protocol    string   `json:"protocol"`
	Cipher      string   `json:"cipher,omitzero"`
	SubjectName string   `json:"subjectName,omitzero"`
	SANList     []string `json:"sanList,omitempty"`
	Issuer      string   `json:"issuer,omitzero"`
	ValidFrom   int64    `json:"validFrom,omitzero"`
	ValidTo     int64    `json:"validTo,omitzero"`
}

type frame struct {
	Type       string         `json:"type"` // send, receive
	Time       jsontext.Value `json:"time"` // seconds since 1970 with nine digits behind the point
	Opcode     int            `json:"opcode"`
	Data       string         `json:"data"`
	Size       int64          `json:"_size,omitzero"`
	Truncated  bool           `json:"_truncated,omitzero"`
	Compressed bool           `json:"_compressed,omitzero"`
}

// The options of every encoding and decoding. Header values, URLs and bodies may
// hold bytes that are no UTF-8: each such byte is written as a lone surrogate, as
// Python does (PEP 383), so that reading gives it back.
var (
	marshalOptions = json.JoinOptions(
		json.Deterministic(true), jsontext.AllowInvalidUTF8(true), jsontext.PreserveRawStrings(true),
		json.WithMarshalers(json.MarshalToFunc(func(e *jsontext.Encoder, s string) error {
			if utf8.ValidString(s) {
				return errors.ErrUnsupported // as without us
			}
			return e.WriteValue(quoteBytes(s))
		})),
	)
	unmarshalOptions = json.JoinOptions(
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true),
		json.WithUnmarshalers(json.UnmarshalFromFunc(func(d *jsontext.Decoder, s *string) error {
			if d.PeekKind() != '"' {
				return errors.ErrUnsupported // as without us
			}
			v, err := d.ReadValue()
			if err != nil {
				return err
			}
			whole := scanner{buf: v, readErr: io.EOF} // the string is its window
			decoded, _, err := whole.str(len(v))
			*s = string(decoded)
			return err
		})),
	)
)

func quoteBytes(s string) jsontext.Value {
	const digits = "0123456789abcdef"
	out := []byte{'"'}
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, `\udc`...)
			out = append(out, digits[s[0]>>4], digits[s[0]&15])
		case r == '"' || r == '\\':
			out = append(out, '\\', s[0])
		case r < ' ':
			out = append(out, `\u00`...)
			out = append(out, digits[s[0]>>4], digits[s[0]&15])
		default:
			out = append(out, s[:n]...)
		}
		s = s[n:]
	}
	return append(out, '"')
}
