package declarations

import (
	"fmt"
	"strings"

	"telltale/plist"
	"telltale/plist/elements"
)

// readPlist reads a property list, whose keys say what it is.
func (d *Declaration) readPlist(data []byte) error {
	v, err := plist.Read(data)
	if err != nil {
		return err
	}
	if err := typed(v, plist.Dictionary, "the property list"); err != nil {
		return err
	}
	info := v.Get(keyTransport) != nil || v.Get("CFBundleIdentifier") != nil
	manifest := false
	for _, key := range v.Keys {
		manifest = manifest || strings.HasPrefix(key.Name, prefixOfManifest)
	}
	switch {
	case isManifestName(d.File):
		return d.readPrivacy(v)
	case info:
		return d.readTransport(v)
	case manifest:
		return d.readPrivacy(v)
	}
	return errorAt(v.Line, "the property list is neither a privacy manifest nor Info.plist, expected keys such as "+keyTracking+" or "+keyTransport,
		"the privacy manifest is called PrivacyInfo.xcprivacy")
}

// The functions below take a value of the type that is expected at a key.

func typed(v *plist.Value, want plist.Kind, at string) error {
	if v.Kind != want {
		return elements.Errorf(v.Line, "%s is %s, expected %s", at, v.Kind, want)
	}
	return nil
}

// truth returns a boolean of a dictionary; one that lacks is false.
func truth(v *plist.Value, key string) (bool, error) {
	item := v.Get(key)
	if item == nil {
		return false, nil
	}
	return item.Truth, typed(item, plist.Boolean, key)
}

// texts returns an array of texts of a dictionary; one that lacks is empty.
func texts(v *plist.Value, key string) ([]plist.Value, error) {
	list := v.Get(key)
	if list == nil {
		return nil, nil
	}
	if err := typed(list, plist.Array, key); err != nil {
		return nil, err
	}
	for i := range list.Items {
		if err := typed(&list.Items[i], plist.Text, "an entry of "+key); err != nil {
			return nil, err
		}
		list.Items[i].Text = strings.TrimSpace(list.Items[i].Text)
	}
	return list.Items, nil
}

// errorAt says what is wrong with the file, and what to do about it.
func errorAt(line int, message, hint string) error {
	return elements.Errorf(line, "%s", message).WithHint(hint)
}

// named puts the file's name to an error.
func named(file string, err error) error {
	if e, ok := err.(*elements.Error); ok { //nolint:errorlint // none of ours is wrapped
		return &Error{file, e.Line, e.Message, e.Hint()}
	}
	return &Error{file, 0, fmt.Sprint(err), ""}
}
