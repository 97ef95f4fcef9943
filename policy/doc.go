// Package policy judges flows: policy file in, findings out.
//
// A [Policy] knows which hosts an app may talk to, which noise of the device may
// be overlooked, what is forbidden outright, how connections must be secured,
// which values must never leave, and which violations are excused until when. It
// comes from a YAML file ([Load], [Parse]), from patterns on the command line
// ([New]), or from both ([Policy.AllowAlso]).
//
// [Policy.Judge] is a pure function of a flow's facts: the same flow has the same
// verdict on a phone's live traffic and in a file of last year, and several
// goroutines may judge at once. The order is fixed: waiver, deny, allow, ignore;
// whatever none of them names is a violation. What can be found is one list,
// [Detectors]; what is known about probes, trackers and system noise is in package
// catalog.
//
// Nothing in a policy file is guessed: an unknown key, a bad pattern or a variable
// that is not set is an [*Error] with line, column and the nearest valid word.
// Values under never-send stay inside: they appear in no finding, no error and no
// excerpt, and [Policy.Mask] takes them out of any text.
//
// Beside what is judged, the file says who is told of it ([Policy.Notify]), which programs
// are run ([Policy.Actions]) and what is kept ([Policy.Recording]). The package only reads
// these sections: others send, run and keep. Secrets in them are a [Credential], which shows
// itself nowhere and is looked up by [Credential.Resolve].
//
// [Edit] makes a decision of a person into one entry more of the file, and touches no
// other byte; [WriteFile] writes it where nobody else did meanwhile.
//
// The package opens no connection, and reads and writes no file but those given to
// [Load] and [WriteFile], and those that a policy names for values under never-send and for
// secrets. It does not keep verdicts (package capture does, and may judge again).
//
// To see why a URL is judged as it is, ask [Policy.Explain], or run
// `telltale policy explain URL`; [Policy.Lint] says what is suspicious in a policy
// that is valid.
package policy
