// Package android plans how an Android device is connected to the proxy by adb, and
// how that is undone: the proxy setting, the way through the cable, the certificate
// authority.
//
// It knows how adb is found, which devices it lists ([Parse], [Choose]), what has to
// be known of one ([Read]), and makes plans from that ([Install], [Undo]), which
// package drive carries out or prints. The plans are made by pure functions: the same
// facts give the same commands.
//
// It promises that nothing is written to the system's partitions; that a device which
// is restarted trusts only what it trusted before, unless a person installed the
// certificate by hand; that what it left on the device is enough to undo everything,
// from any machine and after any step; and that undoing twice does no harm. What it
// leaves is the folder /data/local/tmp/telltale, and one file in Download.
//
// It does not speak adb's protocol and starts no emulator. Root is used where it is
// there and never got by force. To debug it: `telltale setup android --dry-run`, and
// on the device `cat /data/local/tmp/telltale/proxy` and `grep telltale
// /proc/*/mountinfo`.
package android

import (
	_ "embed"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"telltale/flow/plain"
	"telltale/setup/drive"
)

// Script is what runs as root on the device to trust the authority, and to stop it.
//
//go:embed trust.sh
var Script string

// Find returns the path of adb: from PATH, else from the Android SDK that getenv's
// ANDROID_HOME or ANDROID_SDK_ROOT names (developer.android.com, "Environment
// variables"), else from where Android Studio puts the SDK. Its error is [ErrNoADB].
func Find(getenv func(string) string) (string, error) {
	if path, err := exec.LookPath("adb"); err == nil {
		return path, nil
	}
	home := getenv("HOME")
	for _, sdk := range [][]string{
		{getenv("ANDROID_HOME")},
		{getenv("ANDROID_SDK_ROOT")},
		{home, "Library", "Android", "sdk"},
		{home, "Android", "Sdk"},
		{getenv("LOCALAPPDATA"), "Android", "Sdk"},
	} {
		if sdk[0] == "" {
			continue
		}
		name := "adb"
		if runtime.GOOS == "windows" {
			name = "adb.exe"
		}
		path := filepath.Join(append(sdk, "platform-tools", name)...)
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", ErrNoADB
}

// Device is a row of `adb devices`.
type Device struct {
	Serial string
	State  string // "device" is one that can be used
}

// Parse returns the devices that `adb devices` lists. Other lines, as those of the
// server that starts, are passed over, and so is a serial number that is no plain text.
func Parse(output string) []Device {
	var devices []Device
	_, rows, _ := strings.Cut(output, "List of devices attached")
	for row := range strings.Lines(rows) {
		fields := strings.Fields(row)
		if len(fields) < 2 || strings.HasPrefix(row, "*") || !plain.Is(fields[0]) {
			continue
		}
		state := fields[1]
		if state == "no" { // "no permissions (user in plugdev group; …); see […]"
			state = "no permissions"
		}
		devices = append(devices, Device{fields[0], state})
	}
	return devices
}

// What is missing where nothing can be driven.
var (
	ErrNoADB    = errors.New("adb is neither in PATH nor in an Android SDK")
	ErrNoDevice = errors.New("adb finds no device")
)

// Choose returns the device to use: the one with the serial number, or, where that is
// "", the only one that can be used. Without any its error is [ErrNoDevice], else a
// [*drive.ChoiceError].
func Choose(devices []Device, serial string) (Device, error) {
	if serial != "" {
		i := slices.IndexFunc(devices, func(d Device) bool { return d.Serial == serial })
		if i < 0 {
			return Device{}, &drive.ChoiceError{Problem: fmt.Sprintf("no device %s; adb lists %s", plain.Text(serial), listed(devices)), Advice: "adb devices"}
		}
		devices = devices[i : i+1]
	}
	if len(devices) == 0 {
		return Device{}, ErrNoDevice
	}
	usable := slices.DeleteFunc(slices.Clone(devices), func(d Device) bool { return d.State != "device" })
	switch len(usable) {
	case 1:
		return usable[0], nil
	case 0:
		first := devices[0]
		return Device{}, &drive.ChoiceError{Problem: "adb cannot use " + listed(devices), Advice: remedy(first.State)}
	}
	return Device{}, &drive.ChoiceError{Problem: "several devices: " + listed(usable), Flags: []string{"--serial", usable[0].Serial}}
}

// remedy says what makes a device usable that is in another state (adb's
// transport.cpp lists them).
func remedy(state string) string {
	switch state {
	case "unauthorized":
		return "unlock the phone and tap Allow under \"Allow USB debugging?\"; if it does not ask, plug it in again, or use Developer options › Revoke USB debugging authorizations first"
	case "offline":
		return "unlock the phone and plug it in again, or restart the emulator; then: adb reconnect offline"
	case "authorizing", "connecting":
		return "wait until the phone has connected, and try again"
	case "no permissions":
		return "this user may not open the USB device: install your system's udev rules for Android (package android-sdk-platform-tools-common on Debian), plug the phone in again, then: adb kill-server"
	case "recovery", "sideload", "bootloader", "rescue":
		return "start the phone normally: adb reboot"
	}
	return "plug the phone in again; then: adb devices"
}

func listed(devices []Device) string {
	if len(devices) == 0 {
		return "none"
	}
	var names []string
	for _, d := range devices {
		name := plain.Text(d.Serial)
		if d.State != "device" {
			name += " (" + plain.Text(d.State) + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}
