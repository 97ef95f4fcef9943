//go:build !linux

package cmd

import (
	"context"

	"telltale/setup/hotspot"
)

const hasNFTables = false

func applyRules(context.Context, *streams, hotspot.Rules) error { return errNotLinux }
