// Writes property lists in Apple's binary form (CoreFoundation's CFBinaryPList.c): what
// Xcode makes of each Info.plist. Knows objects, arrays, strings, booleans, whole numbers.
'use strict';

// binary returns the property list of a value.
function binary(root) {
  const objects = [], known = new Map();
  const add = value => {
    const key = typeof value === 'object' ? value : `${typeof value} ${value}`;
    if (known.has(key)) return known.get(key);
    const index = objects.push(null) - 1;
    known.set(key, index);
    objects[index] = pack(value, add);
    return index;
  };
  add(root);
  if (objects.length > 255) throw new Error('more objects than one byte counts');
  const offsets = [];
  let at = 8;
  for (const object of objects) {
    offsets.push(at >> 8, at & 0xff);
    at += object.length;
  }
  if (at > 0xffff) throw new Error('longer than two bytes count');
  const trailer = Buffer.alloc(32);
  trailer[6] = 2; // bytes of an offset
  trailer[7] = 1; // bytes of a reference
  trailer.writeBigUInt64BE(BigInt(objects.length), 8);
  trailer.writeBigUInt64BE(BigInt(at), 24);
  return Buffer.concat([Buffer.from('bplist00'), ...objects, Buffer.from(offsets), trailer]);
}

// pack returns one object; what it refers to, add gives a number.
function pack(value, add) {
  if (value === false) return Buffer.from([0x08]);
  if (value === true) return Buffer.from([0x09]);
  if (typeof value === 'number') return integer(value);
  if (typeof value === 'string') {
    if (/^[\x00-\x7f]*$/.test(value)) return Buffer.concat([head(0x50, value.length), Buffer.from(value)]);
    return Buffer.concat([head(0x60, value.length), Buffer.from(value, 'utf16le').swap16()]);
  }
  if (Array.isArray(value)) return Buffer.concat([head(0xa0, value.length), Buffer.from(value.map(add))]);
  const keys = Object.keys(value);
  return Buffer.concat([head(0xd0, keys.length), Buffer.from([...keys, ...Object.values(value)].map(add))]);
}

// head is the byte that says what an object is, with its length.
const head = (kind, length) => length < 15 ? Buffer.from([kind | length])
  : Buffer.concat([Buffer.from([kind | 15]), integer(length)]);

const integer = value => value < 256 ? Buffer.from([0x10, value]) : Buffer.from([0x11, value >> 8, value & 0xff]);

module.exports = { binary };
