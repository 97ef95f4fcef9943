// Package playback answers requests from a recording.
package playback
