// Reads JUnit results with xmllint and two parsers, and compares what they count.
// JUNIT_XSD may name a schema, such as junit-10.xsd of Jenkins' xUnit plugin.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parse } from "junit2json";
import parser from "test-results-parser";
import { reports } from "./files.js";

let failed = false;
const files = reports(".xml");
const lint = (...args) => spawnSync("xmllint", ["--noout", "--nonet", ...args, ...files], { encoding: "utf8" });
for (const run of [lint(), ...(process.env.JUNIT_XSD ? [lint("--schema", process.env.JUNIT_XSD)] : [])]) {
  if (files.length > 0 && run.status !== 0) {
    failed = true;
    console.error(run.error ?? run.stderr);
  }
}
for (const file of files) {
  const complain = (text) => {
    failed = true;
    console.error(`${file}: ${text}`);
  };
  const doc = await parse(readFileSync(file, "utf8"));
  const cases = doc.testsuite.flatMap((suite) => suite.testcase ?? []);
  const count = (kind) => cases.filter((c) => c[kind]).length;
  if (cases.length !== doc.tests || count("failure") !== doc.failures || count("error") !== doc.errors) {
    complain(`junit2json counts ${cases.length}, ${count("failure")}, ${count("error")}`);
  }
  const result = parser.parse({ type: "junit", files: [file] });
  const sum = (kind) => result.suites.reduce((n, suite) => n + suite[kind], 0);
  if (sum("total") + sum("skipped") !== doc.tests || sum("failed") !== doc.failures || sum("errors") !== doc.errors || sum("skipped") !== count("skipped")) {
    complain(`test-results-parser counts ${sum("total")}, ${sum("failed")}, ${sum("errors")}, ${sum("skipped")}`);
  }
}
process.exit(failed ? 1 : 0);
