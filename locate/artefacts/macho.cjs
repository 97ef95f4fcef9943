// Changes Mach-O files (Apple's mach-o/loader.h and fat.h) as far as is needed here.
'use strict';

const crypto = require('crypto');

const FAT = 0xcafebabe, THIN64 = 0xfeedfacf, ARM64 = 0x0100000c;
const SEGMENT_64 = 0x19, ENCRYPTION_INFO_64 = 0x2c;
const PAGE = 4096;

// slice returns the part of a universal file that is for arm64.
function slice(fat) {
  if (fat.readUInt32BE(0) !== FAT) throw new Error('no universal Mach-O file');
  for (let i = 0, at = 8; i < fat.readUInt32BE(4); i++, at += 20) {
    const offset = fat.readUInt32BE(at + 8);
    if (fat.readUInt32BE(at) === ARM64) return fat.subarray(offset, offset + fat.readUInt32BE(at + 12));
  }
  throw new Error('no part for arm64');
}

// encrypted returns the file as the App Store hands it out: one more load command says
// that all pages of __TEXT but the first are encrypted, and they are no longer readable.
function encrypted(plain) {
  if (plain.readUInt32LE(0) !== THIN64) throw new Error('no 64-bit Mach-O file');
  const file = Buffer.from(plain);
  const commands = file.readUInt32LE(16), size = file.readUInt32LE(20);
  let text = 0, first = Infinity;
  for (let i = 0, at = 32; i < commands; i++, at += file.readUInt32LE(at + 4)) {
    if (file.readUInt32LE(at) !== SEGMENT_64) continue;
    if (file.toString('latin1', at + 8, at + 14) === '__TEXT') text = Number(file.readBigUInt64LE(at + 48));
    for (let j = 0, section = at + 72; j < file.readUInt32LE(at + 64); j++, section += 80) {
      first = Math.min(first, file.readUInt32LE(section + 48) || Infinity);
    }
  }
  const end = 32 + size;
  if (end + 24 > first || text <= PAGE) throw new Error('no room for one more load command');
  file.writeUInt32LE(commands + 1, 16);
  file.writeUInt32LE(size + 24, 20);
  [ENCRYPTION_INFO_64, 24, PAGE, text - PAGE, 1, 0].forEach((word, i) => file.writeUInt32LE(word, end + 4 * i));
  const cipher = crypto.createCipheriv('aes-128-ctr', Buffer.alloc(16, 'key'), Buffer.alloc(16));
  cipher.update(file.subarray(PAGE, text)).copy(file, PAGE);
  return file;
}

module.exports = { slice, encrypted };
