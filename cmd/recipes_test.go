package cmd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/testscript"
)

// The recipes for CI, relative to this folder.
const (
	actionFolder  = "../.github/actions/telltale"
	recipesFolder = "../docs/ci"
)

// TestRecipes runs what docs/ci.md offers, by the scripts of testdata/recipes: the
// action step by step as GitHub would, the scripts in bash, with stand-ins for
// programs that need a phone or a Mac.
func TestRecipes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the stand-ins are shell scripts, which Windows does not start by name")
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("the recipes need bash:", err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "recipes"),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			detach(e)
			e.Setenv("NL", "\n")
			stands := filepath.Join(e.WorkDir, "stand-ins")
			e.Setenv("PATH", stands+string(os.PathListSeparator)+e.Getenv("PATH"))
			recipes, err := filepath.Abs(recipesFolder)
			e.Setenv("RECIPES", recipes)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"action":  scriptAction,
			"gitlab":  scriptGitLab,
			"await":   scriptAwait,
			"readenv": scriptReadEnv,
			"programs": func(ts *testscript.TestScript, _ bool, files []string) {
				for _, file := range files {
					ts.Check(os.Chmod(ts.MkAbs(file), 0o700))
				}
			},
		},
	})
}

// An action is the part of an action.yml that these recipes use
// (docs.github.com/actions, "Metadata syntax reference").
type action struct {
	Inputs  map[string]struct{ Default string }
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []actionStep
	}
}

type actionStep struct {
	Name, ID, If, Shell, Run, Uses string
	Env, With                      map[string]string
}

func readAction(file string) (*action, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	a := &action{}
	return a, yaml.Unmarshal(text, a)
}

// TestActionTakesInputsAsData holds what keeps an input from becoming a command: no
// expression stands in the text of a script, and each use of another's action names
// its major version.
func TestActionTakesInputsAsData(t *testing.T) {
	a, err := readAction(filepath.Join(actionFolder, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if a.Runs.Using != "composite" || len(a.Runs.Steps) == 0 {
		t.Fatalf("using %q with %d steps", a.Runs.Using, len(a.Runs.Steps))
	}
	for _, step := range a.Runs.Steps {
		if strings.Contains(step.Run, "${{") {
			t.Errorf("%s: an expression in a script: pass it by env", step.Name)
		}
		if step.Run != "" && step.Shell != "bash" {
			t.Errorf("%s: shell %q, where bash is the one of every runner", step.Name, step.Shell)
		}
		if step.Uses != "" && !regexp.MustCompile(`^[\w-]+(/[\w-]+)+@v\d+$`).MatchString(step.Uses) {
			t.Errorf("%s: %q names no major version", step.Name, step.Uses)
		}
	}
}

// scriptAction runs the action as a runner would: action INPUT=VALUE... What it
// prints is in the file log, its outputs and summary in those of their names, and
// each step that uses another action is in uses.
func scriptAction(ts *testscript.TestScript, neg bool, args []string) {
	file, err := filepath.Abs(filepath.Join(actionFolder, "action.yml"))
	ts.Check(err)
	a, err := readAction(file)
	ts.Check(err)
	r := &runner{ts: ts, folder: filepath.Dir(file), values: map[string]string{}}
	for name, input := range a.Inputs {
		r.values["inputs."+name] = input.Default
	}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		if _, ok := a.Inputs[name]; !ok {
			ts.Fatalf("the action has no input %q", name)
		}
		r.values["inputs."+name] = value
	}
	for _, name := range []string{"log", "output", "summary", "uses"} {
		ts.Check(os.WriteFile(ts.MkAbs(name), nil, 0o600))
	}
	failed := r.run(a.Runs.Steps)
	var outputs strings.Builder
	for name, output := range a.Outputs {
		fmt.Fprintf(&outputs, "%s=%s\n", name, r.expand(output.Value))
	}
	ts.Check(os.WriteFile(ts.MkAbs("output"), []byte(outputs.String()), 0o600))
	if (failed != nil) != neg {
		ts.Fatalf("the action: %v\n%s", failed, ts.ReadFile("log"))
	}
}

// runner runs the steps of one composite action.
type runner struct {
	ts     *testscript.TestScript
	folder string
	values map[string]string // of expressions, by their name: "inputs.policy"
}

func (r *runner) run(steps []actionStep) error {
	for _, step := range steps {
		if step.If != "" && r.expand(step.If) != "true" {
			continue
		}
		if step.Uses != "" {
			r.note(step)
			continue
		}
		if err := r.script(step); err != nil {
			return fmt.Errorf("%s: %w", step.Name, err)
		}
	}
	return nil
}

// note writes down which action a step would have used, and with what.
func (r *runner) note(step actionStep) {
	text := r.ts.ReadFile("uses") + step.Uses
	for name, value := range step.With {
		text += fmt.Sprintf(" %s=%s", name, r.expand(value))
	}
	r.ts.Check(os.WriteFile(r.ts.MkAbs("uses"), []byte(text+"\n"), 0o600))
}

// script runs one step as runners do for `shell: bash`
// (docs.github.com/actions, "jobs.<job_id>.steps[*].shell").
func (r *runner) script(step actionStep) error {
	output, summary, log := r.ts.MkAbs("step-output"), r.ts.MkAbs("summary"), r.ts.MkAbs("log")
	file := r.ts.MkAbs("step.sh")
	r.ts.Check(os.WriteFile(file, []byte(step.Run), 0o600))
	r.ts.Check(os.WriteFile(output, nil, 0o600))
	logged, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	r.ts.Check(err)
	defer logged.Close()
	c := exec.Command("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", file)
	c.Dir, c.Stdout, c.Stderr = r.ts.MkAbs("."), logged, logged
	c.Env = []string{
		"PATH=" + r.ts.Getenv("PATH"), "HOME=" + r.ts.Getenv("HOME"), "SOURCE_DATE_EPOCH=" + r.ts.Getenv("SOURCE_DATE_EPOCH"),
		"GITHUB_ACTION_PATH=" + r.folder, "GITHUB_OUTPUT=" + output, "GITHUB_STEP_SUMMARY=" + summary, "GITHUB_PATH=" + r.ts.MkAbs("path"),
		"RUNNER_TEMP=" + r.ts.Getenv("TMPDIR"), "RUNNER_OS=Linux", "RUNNER_ARCH=X64",
	}
	for name, value := range step.Env {
		c.Env = append(c.Env, name+"="+r.expand(value))
	}
	err = c.Run()
	for line := range strings.Lines(r.ts.ReadFile("step-output")) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			return errors.Join(err, fmt.Errorf("%q in GITHUB_OUTPUT is no output", line))
		}
		r.values["steps."+step.ID+".outputs."+name] = value
	}
	return err
}

var expression = regexp.MustCompile(`\$\{\{\s*(.*?)\s*\}\}`)

// expand puts the values of expressions into a text. It knows names, texts in
// quotes, == and != between them, and &&.
func (r *runner) expand(text string) string {
	return expression.ReplaceAllStringFunc(text, func(found string) string {
		terms := strings.Split(expression.FindStringSubmatch(found)[1], " && ")
		if len(terms) == 1 && !strings.Contains(terms[0], "=") {
			return r.value(terms[0])
		}
		for _, term := range terms {
			left, right, equal := strings.Cut(term, " == ")
			if !equal {
				left, right, _ = strings.Cut(term, " != ")
			}
			if (r.value(left) == r.value(right)) != equal {
				return "false"
			}
		}
		return "true"
	})
}

func (r *runner) value(name string) string {
	if text, ok := strings.CutPrefix(name, "'"); ok {
		return strings.TrimSuffix(text, "'")
	}
	if !strings.HasPrefix(name, "inputs.") && !strings.HasPrefix(name, "steps.") {
		r.ts.Fatalf("an expression has %q, which this test does not know", name)
	}
	return r.values[name]
}

// scriptGitLab runs the script of the job in GitLab's template, each entry in one
// shell after the other's, as a runner does: gitlab NAME=VALUE... Its variables are
// the defaults of the template and the arguments.
func scriptGitLab(ts *testscript.TestScript, neg bool, args []string) {
	text, err := os.ReadFile(filepath.Join(recipesFolder, "gitlab-ci.yml"))
	ts.Check(err)
	var template struct {
		Variables map[string]string
		Telltale  struct {
			Before []string `yaml:"before_script"`
			Script []string
		}
	}
	ts.Check(yaml.Unmarshal(text, &template))
	lines := append([]string{"set -eo pipefail"}, append(template.Telltale.Before, template.Telltale.Script...)...)
	c := exec.Command("bash", "--noprofile", "--norc", "-c", strings.Join(lines, "\n"))
	c.Dir = ts.MkAbs(".")
	c.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME")}
	for name, value := range template.Variables {
		c.Env = append(c.Env, name+"="+value)
	}
	c.Env = append(c.Env, args...)
	log, err := c.CombinedOutput()
	ts.Check(os.WriteFile(ts.MkAbs("log"), log, 0o600))
	if (err != nil) != neg {
		ts.Fatalf("the job: %v\n%s", err, log)
	}
}
