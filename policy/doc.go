// Package policy judges flows: policy file in, findings out.
package policy
