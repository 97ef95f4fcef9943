// The reports of one ending in the folder that a check is given.
import { readdirSync } from "node:fs";
import path from "node:path";

export function reports(ending) {
  const folder = process.argv[2];
  const files = readdirSync(folder).filter((name) => name.endsWith(ending)).sort().map((name) => path.join(folder, name));
  console.log(`${path.basename(process.argv[1], ".mjs")}: ${files.length} reports *${ending}`);
  return files;
}
