// Checks code quality reports by what GitLab's documentation asks of each issue
// (docs.gitlab.com/ci/testing/code_quality).
import { readFileSync } from "node:fs";
import Ajv from "ajv";
import { reports } from "./files.js";

const text = { type: "string", minLength: 1 };
const valid = new Ajv({ allErrors: true }).compile({
  type: "array",
  items: {
    type: "object",
    required: ["description", "check_name", "fingerprint", "severity", "location"],
    properties: {
      description: text,
      check_name: text,
      fingerprint: text,
      severity: { enum: ["info", "minor", "major", "critical", "blocker"] },
      location: {
        type: "object",
        required: ["path", "lines"],
        properties: {
          path: { type: "string", pattern: "^(?!\\./)." },
          lines: { type: "object", required: ["begin"], properties: { begin: { type: "integer", minimum: 1 } } },
        },
      },
    },
  },
});

let failed = false;
for (const file of reports(".gitlab.json")) {
  const issues = JSON.parse(readFileSync(file, "utf8"));
  const ok = valid(issues);
  const alike = issues.length - new Set(issues.map((i) => i.fingerprint)).size;
  if (!ok || alike > 0) {
    failed = true;
    console.error(`${file}: ${alike} fingerprints twice, ${JSON.stringify(valid.errors)}`);
  }
}
process.exit(failed ? 1 : 0);
