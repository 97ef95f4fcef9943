// Checks SARIF logs against the schema of SARIF 2.1.0, and with Microsoft's validator
// by the rules of the standard and those of GitHub's code scanning ("Ghas").
// SARIF_SCHEMA may name another file of the schema, such as the one that OASIS has.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { reports } from "./files.js";

// What does not apply: there is no page about the tool to name, and builds of
// developers have no number.
const accepted = [/warning SARIF2005: /];

const packages = path.join(import.meta.dirname, "node_modules");
const vendor = path.join(packages, "@microsoft");
const schemaFile = process.env.SARIF_SCHEMA ?? readdirSync(vendor).map((name) => path.join(vendor, name, "sarif-2.1.0.json")).find(existsSync);
const schema = JSON.parse(readFileSync(schemaFile, "utf8"));
delete schema.$schema; // the standard's own file is of an older draft, with the same words
delete schema.id;
const ajv = new Ajv2020({ strict: false, allErrors: true, unicodeRegExp: false });
addFormats(ajv);
const valid = ajv.compile(schema);

let failed = false;
const complain = (text) => {
  failed = true;
  console.error(text);
};

const files = reports(".sarif");
for (const file of files) {
  if (!valid(JSON.parse(readFileSync(file, "utf8")))) {
    complain(`${file}: ${ajv.errorsText(valid.errors)}`);
  }
}

const folder = mkdtempSync(path.join(tmpdir(), "telltale-sarif-"));
const validator = path.join(packages, ".bin", "sarif-multitool");
for (const kind of files.length > 0 ? ["Sarif", "Ghas"] : []) {
  const options = ["--rule-kind", kind, "--max-file-size-in-kb", "100000", "-o", path.join(folder, `${kind}.sarif`)];
  const run = spawnSync(validator, ["validate", ...files, ...options], { encoding: "utf8" });
  if (run.error || !run.stdout.includes(`${files.length} files scanned`)) {
    complain(`sarif-multitool, ${kind}: ${run.error ?? run.stdout + run.stderr}`);
  }
  for (const line of (run.stdout ?? "").split("\n")) {
    if (/: (error|warning) /.test(line) && !accepted.some((known) => known.test(line))) {
      complain(line);
    }
  }
}
rmSync(folder, { recursive: true });
process.exit(failed ? 1 : 0);
