package policy

import "telltale/policy/catalog"

// Receiver names who gets what is sent to a canonical host: the company that the
// catalogue knows there, else the domain that somebody registered. What a CDN delivers
// is its customer's, who has a name of its own there.
func Receiver(host string) string {
	product, ok := catalog.FindProduct(host, "")
	if ok && product.Category == catalog.CDN {
		return RegisteredDomain(host)
	}
	if c, ok := catalog.FindCompany(host); ok {
		return c.Name
	}
	return RegisteredDomain(host)
}
