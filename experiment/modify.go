package experiment

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"telltale/flow"
	"telltale/proxy"
)

// modifiers apply one after the other. Trouble in one keeps none of the others from it.
type modifiers []proxy.Modifier

func (m modifiers) ModifyRequest(r *http.Request) (did []proxy.Alteration, err error) {
	for _, one := range m {
		more, trouble := one.ModifyRequest(r)
		did, err = append(did, more...), errors.Join(err, trouble)
	}
	return did, err
}

func (m modifiers) ModifyResponse(r *http.Response) (did []proxy.Alteration, err error) {
	for _, one := range m {
		more, trouble := one.ModifyResponse(r)
		did, err = append(did, more...), errors.Join(err, trouble)
	}
	return did, err
}

// withoutQUIC takes offers of HTTP/3 out of answers (Alt-Svc, RFC 7838, 3). Those in DNS
// (RFC 9460) stay, since QUIC itself is refused.
type withoutQUIC struct{ *played }

func (withoutQUIC) ModifyRequest(*http.Request) ([]proxy.Alteration, error) { return nil, nil }

func (m withoutQUIC) ModifyResponse(r *http.Response) ([]proxy.Alteration, error) {
	lines := r.Header["Alt-Svc"]
	if len(lines) == 0 || r.Request != nil && !m.concernsURL(r.Request) {
		return nil, nil
	}
	kept, dropped := withoutHTTP3(lines)
	if !dropped {
		return nil, nil
	}
	if len(kept) == 0 {
		r.Header.Del("Alt-Svc")
	} else {
		r.Header["Alt-Svc"] = kept
	}
	return []proxy.Alteration{{By: m.name, What: "took the offer of HTTP/3 out of the answer (Alt-Svc): " + m.name}}, nil
}

func (m withoutQUIC) concernsURL(r *http.Request) bool {
	authority := r.Host
	if r.URL != nil && r.URL.Host != "" {
		authority = r.URL.Host
	}
	_, port := flow.SplitHostPort(authority)
	if port == "" && r.URL != nil {
		port = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443"}[r.URL.Scheme]
	}
	return m.concerns(&contact{host: flow.CanonicalHost(authority), port: port})
}

// withoutHTTP3 drops the offers of protocols over QUIC from the lines of a header.
func withoutHTTP3(lines []string) (kept []string, dropped bool) {
	for _, line := range lines {
		offers := splitOffers(line)
		others := slices.DeleteFunc(slices.Clone(offers), isHTTP3)
		switch {
		case len(others) == len(offers):
			kept = append(kept, line)
			continue
		case len(others) > 0:
			kept = append(kept, strings.Join(others, ", "))
		}
		dropped = true
	}
	return kept, dropped
}

// isHTTP3 reports whether an offer is of HTTP/3, its drafts ("h3-29", "hq") or what came
// before ("quic").
func isHTTP3(offer string) bool {
	protocol, _, ok := strings.Cut(offer, "=")
	protocol = strings.ToLower(strings.TrimSpace(protocol))
	return ok && (protocol == "h3" || protocol == "quic" || strings.HasPrefix(protocol, "h3-") || strings.HasPrefix(protocol, "hq"))
}

// splitOffers parts a header at the commas outside of quotes.
func splitOffers(line string) (offers []string) {
	start, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch {
		case quoted && line[i] == '\\':
			i++
		case line[i] == '"':
			quoted = !quoted
		case line[i] == ',' && !quoted:
			offers = append(offers, strings.TrimSpace(line[start:i]))
			start = i + 1
		}
	}
	return append(offers, strings.TrimSpace(line[start:]))
}
