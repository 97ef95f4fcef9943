// Writes every workflow command again with GitHub's own library, and compares.
import { readFileSync } from "node:fs";
import * as core from "@actions/core";
import { reports } from "./files.js";

let failed = false;
const unescape = (s, ...pairs) => pairs.reduce((text, [from, to]) => text.replaceAll(from, to), s);
const lines = [["%0D", "\r"], ["%0A", "\n"]];
const marks = [["%3A", ":"], ["%2C", ","]];
const percent = ["%25", "%"];

for (const file of reports(".github.txt")) {
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const match = /^::(error|warning|notice) (.*?)::(.*)$/.exec(line);
    if (!match) {
      continue;
    }
    const properties = Object.fromEntries(match[2].split(",").map((p) => {
      const at = p.indexOf("=");
      return [p.slice(0, at), unescape(p.slice(at + 1), ...lines, ...marks, percent)];
    }));
    let written = "";
    const write = process.stdout.write;
    process.stdout.write = (text) => { written += text; return true; };
    core[match[1]](unescape(match[3], ...lines, percent), { title: properties.title, file: properties.file, startLine: properties.line });
    process.stdout.write = write;
    // The order of properties means nothing.
    const sorted = (s) => s.trim().replace(/^::(\w+) (.*?)::/, (_, name, list) => `::${name} ${list.split(",").sort().join(",")}::`);
    if (sorted(written) !== sorted(line)) {
      failed = true;
      console.error(`${file}: ${line}\n@actions/core writes ${written}`);
    }
  }
}
process.exit(failed ? 1 : 0);
