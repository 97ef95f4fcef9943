// Package compare says what changed between two captures: which hosts and which
// violations came, went and stayed. It is the proof that a fix works.
//
// The hard part is a violation that the capture after does not show. Either it is
// fixed, or nobody did what triggers it. A [Recorder] therefore notes, beside what the
// policy says of each flow of one capture, when it began, who sent it and, roughly, what
// it was. From that, [Captures] asks of every violation that is gone what a careful
// person would ask ([Question]), and calls it fixed only where every answer speaks for
// it. The answers stay with the verdict, for documents to put in words (package
// reports).
//
// It promises that
//
//   - the same flows give the same verdicts, in whatever order they are read: the
//     entries of a HAR need not be in order of time;
//   - memory grows by 12 bytes a flow, and otherwise with what can be told apart:
//     hosts, violations, apps and kinds of requests (a million flows take 16 MiB);
//   - doubt is never counted as a fix. Where there are more recordings, apps, phases
//     or devices than can be told apart, everything is in doubt.
//
// It expects captures that are complete: each flow is judged once, in its last state,
// as when a file is read. A store that records live asks about a flow several times,
// and each would count.
//
// It reads no capture, does not judge and writes no document. When an answer
// surprises, look at the JSON of `telltale diff`, which has what was counted for each
// question, and at the requests in question with `telltale flows`.
package compare
