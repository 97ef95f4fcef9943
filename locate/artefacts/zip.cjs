// Reads and writes zip archives (PKWARE's APPNOTE, sections 4.3 and 4.4), for what is put
// together here: no dates, no attributes, so that the same pieces give the same bytes.
//
//   node zip.cjs extract ARCHIVE NAME FILE    writes one entry into a file
'use strict';

const fs = require('fs');
const zlib = require('zlib');

const LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50;
const STORED = 0, DEFLATED = 8;
const DATE = 0x0021; // 1980-01-01, the first that there is
const UTF8 = 0x0800;

// read returns the entries of an archive: {name, method, crc, size, packed}.
function read(archive) {
  let end = archive.length - 22;
  while (end >= 0 && archive.readUInt32LE(end) !== END) end--;
  if (end < 0) throw new Error('no zip archive: its end is missing');
  const entries = [];
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const length = archive.readUInt16LE(at + 28);
    const local = archive.readUInt32LE(at + 42);
    const data = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
    entries.push({
      name: archive.toString('utf8', at + 46, at + 46 + length),
      method: archive.readUInt16LE(at + 10),
      crc: archive.readUInt32LE(at + 16),
      size: archive.readUInt32LE(at + 24),
      packed: archive.subarray(data, data + archive.readUInt32LE(at + 20)),
    });
    at += 46 + length + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  return entries;
}

const content = entry => entry.method === STORED ? entry.packed : zlib.inflateRawSync(entry.packed);

// find returns the content of one entry.
function find(archive, name) {
  const entry = read(archive).find(one => one.name === name);
  if (!entry) throw new Error(`no ${name} in the archive`);
  return content(entry);
}

const table = Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n >>> 0;
});

function crc32(data) {
  let crc = 0xffffffff;
  for (let i = 0; i < data.length; i++) crc = table[(crc ^ data[i]) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

// entry packs a file for an archive.
function entry(name, data, { stored = false } = {}) {
  data = Buffer.from(data);
  return {
    name, method: stored ? STORED : DEFLATED, crc: crc32(data), size: data.length,
    packed: stored ? data : zlib.deflateRawSync(data),
  };
}

// write returns an archive of entries. What is stored begins at a multiple of four
// bytes, as Android's zipalign has it. Between the entries and their directory stands
// what an APK's signature is kept in, where there is one.
function write(entries, { signature = Buffer.alloc(0) } = {}) {
  const pieces = [], directory = [];
  let offset = 0;
  for (const one of entries) {
    const name = Buffer.from(one.name);
    const padding = one.method === STORED ? (4 - (offset + 30 + name.length) % 4) % 4 : 0;
    const header = Buffer.alloc(26);
    header.writeUInt16LE(20, 0);
    header.writeUInt16LE(UTF8, 2);
    header.writeUInt16LE(one.method, 4);
    header.writeUInt16LE(DATE, 8);
    header.writeUInt32LE(one.crc, 10);
    header.writeUInt32LE(one.packed.length, 14);
    header.writeUInt32LE(one.size, 18);
    header.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([number(LOCAL), header, name, Buffer.alloc(padding)]);
    local.writeUInt16LE(padding, 28);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    directory.push(number(CENTRAL), Buffer.from([20, 0]), header, rest, name);
    pieces.push(local, one.packed);
    offset += local.length + one.packed.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(END, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset + signature.length, 16);
  return Buffer.concat([...pieces, signature, central, end]);
}

function number(value) {
  const four = Buffer.alloc(4);
  four.writeUInt32LE(value);
  return four;
}

module.exports = { read, content, find, entry, write };

if (require.main === module) {
  const [, , , archive, name, file] = process.argv;
  fs.writeFileSync(file, find(fs.readFileSync(archive), name));
}
