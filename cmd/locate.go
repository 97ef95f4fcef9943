package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"telltale/capture"
	"telltale/intake"
	"telltale/locate"
	"telltale/policy"
	"telltale/reports"
)

// locating looks in apps for where hosts come from.
type locating struct {
	policy   policyFlags
	hosts    []string
	strings  []string
	captures []string
	maps     []string
	format   string
	reveal   bool
	quiet    bool
	noColor  bool
}

func newLocate(s *streams) *cobra.Command {
	l := &locating{}
	c := command("locate", func(c *cobra.Command, args []string) error { return l.run(c, s, args) })
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 || slices.Contains(args, "") {
			return withHint(errors.New("locate needs an app: an APK, an IPA, a bundle or a folder"), "telltale locate --help")
		}
		return nil
	}
	f := c.Flags()
	f.StringArrayVar(&l.hosts, "host", nil, "look for this `host`; repeatable")
	f.StringArrayVar(&l.strings, "string", nil, "look for this `text`, as it is; repeatable")
	f.StringArrayVar(&l.captures, "capture", nil, "look for every violating host of the capture in `file`; repeatable")
	f.StringArrayVar(&l.maps, "source-map", nil, "the source map in `file` belongs to the bundle; repeatable")
	l.policy.register(c)
	f.StringVar(&l.format, "format", "text", "`format` on standard output: "+strings.Join(reports.LocatedFormats, ", "))
	f.BoolVar(&l.reveal, "reveal", false, "show keys, tokens and never-send values in what is quoted from the app")
	f.BoolVarP(&l.quiet, "quiet", "q", false, "print nothing but errors; the exit code says whether something was found")
	f.BoolVar(&l.noColor, "no-color", false, "print without colours (also: NO_COLOR)")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(reports.LocatedFormats, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (l *locating) run(c *cobra.Command, s *streams, apps []string) error {
	if !slices.Contains(reports.LocatedFormats, l.format) {
		return fmt.Errorf("--format: unknown format %q; the formats are %s", l.format, strings.Join(reports.LocatedFormats, ", "))
	}
	pol, err := l.policy.orNothing()
	if err != nil {
		return err
	}
	ctx, release := interruptible(c.Context(), 0)
	defer release()
	wanted, trouble, err := l.wanted(ctx, s, pol)
	if err != nil {
		return err
	}
	result, err := searchApps(ctx, s, apps, wanted, l.maps, l.quiet)
	if err != nil {
		return err
	}
	complainOf(s, "", result, masker(pol, l.reveal))
	if result.Files == 0 && len(result.Failures) > 0 {
		return exitCode(ExitFailed) // there is nothing to say of it
	}
	if !l.quiet {
		doc := l.document(pol, result, commandLine(c, apps))
		doc.Color, doc.Width = colour(s.out, l.noColor), width(s.out)
		if err := printTo(s.out, l.format, func(w io.Writer) error { return reports.WriteLocated(w, doc, l.format) }); err != nil {
			return err
		}
	}
	switch {
	case trouble || len(result.Failures) > 0:
		return exitCode(ExitFailed)
	case !result.Found():
		return exitCode(ExitViolations)
	}
	return nil
}

// document says what was found, and what the policy would say of it where there is one.
func (l *locating) document(pol *policy.Policy, result *locate.Result, command string) *reports.Located {
	doc := &reports.Located{
		Tool:      reports.Tool{Name: "telltale", Version: version()},
		Generated: reports.Now(),
		Result:    result,
		Capture:   strings.Join(l.captures, ", "),
		Command:   command,
		Reveal:    l.reveal,
		Mask:      masker(pol, l.reveal),
	}
	if pol.File() != "" || len(l.policy.allow) > 0 {
		doc.Policy = policyInfo(pol, l.policy.allow)
		doc.Judge = judgeMention(pol)
	}
	return doc
}

// judgeMention returns what the policy would say of a contact that an app could make.
func judgeMention(pol *policy.Policy) func(host, url string) policy.Judgement {
	return func(host, url string) policy.Judgement {
		if e, err := pol.Explain("GET", url); url != "" && err == nil {
			return e.Judgement
		}
		e, err := pol.Explain("GET", host)
		if err != nil {
			return policy.Judgement{}
		}
		return e.Judgement
	}
}

// wanted returns what is to be looked for. trouble says that a capture could not be read whole.
func (l *locating) wanted(ctx context.Context, s *streams, pol *policy.Policy) (w locate.Wanted, trouble bool, err error) {
	w = locate.Wanted{Hosts: l.hosts, Strings: l.strings}
	if len(l.captures) == 0 {
		return w, false, nil
	}
	in, troubles := intake.Find(ctx, l.captures, s.in)
	defer in.Close()
	stop := startMeter(s, readingOf(in), l.quiet)
	sum, infos, _, more := judge(ctx, in, pol, needed(pol))
	stop()
	if ctx.Err() != nil {
		return w, false, errInterrupted
	}
	troubles = append(troubles, more...)
	mask := masker(pol, l.reveal)
	if len(troubles) > 0 && nothingRead(infos) {
		return w, false, unreadable(s, troubles, mask)
	}
	for _, t := range troubles {
		s.complain(masked(t, mask))
	}
	w.Hosts = append(w.Hosts, violatingHosts(sum)...)
	if len(w.Hosts)+len(w.Strings) == 0 {
		return w, false, withHint(errors.New("the capture has no violation, so there is no host to look for"), "name a host with --host, or leave out --capture to list every host of the app")
	}
	return w, len(troubles) > 0, nil
}

// violatingHosts returns the hosts of an audit that should not have been contacted, or not
// so.
func violatingHosts(sum capture.Summary) (hosts []string) {
	for _, v := range sum.Violations {
		if host := v.Finding.Host; host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// searchApps looks for what is wanted, and shows a person how far it is.
func searchApps(ctx context.Context, s *streams, apps []string, wanted locate.Wanted, maps []string, quiet bool) (*locate.Result, error) {
	apps, same := distinct(apps)
	for _, note := range same {
		if !quiet {
			s.say("note: %s, which is searched once", note)
		}
	}
	var far searchMeter
	stop := startMeter(s, far.line, quiet)
	result, err := locate.Search(ctx, apps, wanted, locate.Options{SourceMaps: maps, Progress: far.note})
	stop()
	if ctx.Err() != nil {
		return nil, errors.New("interrupted before all of the app was searched")
	}
	return result, err
}

// complainOf says what could not be read, each behind the flag that named it.
func complainOf(s *streams, flag string, result *locate.Result, mask func(string) string) {
	for _, f := range result.Failures {
		err := masked(fmt.Errorf("%s%s: %w", flag, f.Path, f.Err), mask)
		named := slices.ContainsFunc(result.Apps, func(a locate.App) bool { return a.Path == f.Path })
		if named && errors.Is(f.Err, fs.ErrNotExist) {
			err = withHint(err, "%s", namesAnApp)
		}
		s.complain(err)
	}
}

const namesAnApp = "name an APK, an IPA, a bundle or a folder"

// distinct returns the apps without those that are named twice, which same tells, and each as
// files in it are called: app/ and ./app are app.
func distinct(paths []string) (apps, same []string) {
	var infos []os.FileInfo
	for _, path := range paths {
		name := shortened(path)
		info, err := os.Stat(name)
		at := slices.IndexFunc(infos, func(other os.FileInfo) bool { return err == nil && os.SameFile(info, other) })
		if at >= 0 {
			same = append(same, path+" is "+apps[at])
			continue
		}
		apps, infos = append(apps, name), append(infos, info)
	}
	return apps, same
}

// shortened is a path without what does not change where it leads. What stands before a ".."
// may be a link, so that it does.
func shortened(path string) string {
	if slices.Contains(strings.Split(filepath.ToSlash(path), "/"), "..") {
		return path
	}
	return filepath.Clean(path)
}
