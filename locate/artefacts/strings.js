// One of each way in which an address can stand in code, for the compilers that put
// strings apart. No two cases share a host.
'use strict';

// Strings that end or begin with each other may share their bytes in a bytecode file.
var shorter = 'overlap.example.com';
var longer = 'https://overlap.example.com/path';
var longest = 'see https://overlap.example.com/path?query=1 for more';
var glued = ['first.example', 'example.org', 'st.example.org'];

// Beyond Latin: such a string is kept as UTF-16.
var wide = 'https://wide.example.com/état/Ω/日本';
var latin = 'https://latin.example.com/\u00e9t\u00e9';
var surrogates = 'https://surrogates.example.com/\ud83d\ude00';

// More than 255 units: its entry in a table of small strings overflows.
var long = 'https://long.example.com/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/end';
// Exactly as long as the mark of an overflow, and one less.
var edge255 = 'https://edge255.example.com/00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000';
var edge254 = 'https://edge254.example.com/0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000';

// Put together at run time: no literal has the whole.
function built(host) {
  var scheme = 'https://' + host;
  return scheme + '.built.example' + '.com/' + Date.now();
}

function split() {
  return ['split', 'example', 'net'].join('.') + '/ping';
}

// Kept as data apart from the code: the values of literals.
var options = { endpoint: 'https://literal.example.com/v1', retries: 3, nested: { url: 'https://nested.example.com/' } };
var hosts = ['one.array.example.com', 'two.array.example.com', 3, null, true];

function template(id) {
  return `https://template.example.com/users/${id}/posts?from=${shorter}`;
}

var pattern = /^https:\/\/regexp\.example\.com\/[a-z]+$/i;

// A key of an object: kept as an identifier.
var byHost = { 'https://key.example.com/': 1, 'bare.key.example.com': 2 };

// The same string in two functions, to be told from one that uses it once.
function usesTwice() { return fetch('https://twice.example.com/'); }
function usesAgain() { return fetch('https://twice.example.com/'); }

// A function within a function, with an address that only it uses.
function outer() {
  function inner() { return 'https://inner.example.com/'; }
  return inner();
}

var arrow = () => 'https://arrow.example.com/';

function Client() { this.base = 'https://constructor.example.com/'; }
Client.prototype.ping = function ping() { return this.base + 'https://method.example.com/'.length; };

// Hidden: the host reads "hidden.example.com" once undone.
var base64 = 'aHR0cHM6Ly9oaWRkZW4uZXhhbXBsZS5jb20v';
var percent = 'https%3A%2F%2Fpercent.example.com%2Fping';
var reversed = '/moc.elpmaxe.desrever//:sptth';

// Not hosts, whatever they look like.
var namespace = 'http://www.w3.org/2000/svg';
var className = 'com.example.app.MainActivity';
var format = 'https://%s/%d';

module.exports = {
  shorter, longer, longest, glued, wide, latin, surrogates, long, edge255, edge254, built, split, options, hosts, template,
  pattern, byHost, usesTwice, usesAgain, outer, arrow, Client, base64, percent, reversed, namespace, className, format,
};
