// Copyright (c) 2026 The gpuready authors
// GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// Data, words and the building of elements. All that comes from machines goes into text nodes, never into markup.

const fleet = JSON.parse(document.getElementById('fleet').textContent);
const STATUSES = ['fail', 'unknown', 'warn', 'skip', 'pass'];
const OPEN = ['fail', 'unknown', 'warn'];
const BY_LETTER = {p: 'pass', w: 'warn', f: 'fail', s: 'skip', u: 'unknown'};
const SYMBOLS = {
  pass: '✓', warn: '!', fail: '✗', skip: '–', unknown: '?',
  ready: '✓', ready_with_warnings: '!', not_ready: '✗', stopped: '■', silent: '∅',
  ok: '✓', mismatch: '✗', missing: '–',
};
const VERDICTS = ['not_ready', 'stopped', 'silent', 'unknown', 'ready_with_warnings', 'ready'];
const TONES = {
  not_ready: 'fail', stopped: 'fail', silent: 'fail', unknown: 'unknown', ready_with_warnings: 'warn', ready: 'pass',
};

const state = {
  language: fleet.language,
  theme: 'auto',
  verdicts: new Set(),
  onlyOpen: true,
  sort: 'verdict',
  query: '',
  statuses: new Set(OPEN),
  stage: '',
  checkQuery: '',
};

// storage may be switched off, above all for pages opened as files
function remember(key, value) {
  try { localStorage.setItem('gpuready.' + key, value); } catch (error) { /* it lasts for this view then */ }
}
function remembered(key, choices) {
  try {
    const value = localStorage.getItem('gpuready.' + key);
    return choices.includes(value) ? value : null;
  } catch (error) { return null; }
}

function say(key, fields) {
  const text = fleet.words[state.language][key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (fields && name in fields ? String(fields[name]) : whole));
}
const verdictWord = (verdict) => say(verdict === 'unknown' ? 'unknown_verdict' : verdict);

// the text of a report in the language shown
function told(object, name) {
  return (state.language === 'zh' && object[name + '_zh']) || object[name] || '';
}
const listed = (items) => items.join(state.language === 'zh' ? '、' : ', ');
const plain = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

// '2026-11-21T10:00:00Z' -> '2026-11-21 10:00:00 UTC'; what is no time stays as it is
function shownTime(text) {
  const found = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(Z|\+00:00)$/.exec(text || '');
  return found ? found[1] + ' ' + found[2] + ' UTC' : text || '?';
}

// make('div.card.wide', {onclick: f, title: 't'}, child, 'text', [more])
function make(what, attributes, ...children) {
  const [tag, ...classes] = what.split('.');
  return fill(document.createElement(tag), classes, attributes, children);
}
function draw(what, attributes, ...children) {
  const [tag, ...classes] = what.split('.');
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), classes, attributes, children);
}
function fill(element, classes, attributes, children) {
  if (classes.length) element.setAttribute('class', classes.join(' '));
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

function badge(tone, symbol, text, title) {
  return make('span.badge.t-' + tone, {title: title}, make('span.symbol', {'aria-hidden': 'true'}, symbol), ' ', text);
}

async function copied(text, box) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) { /* not allowed here: the old way */ }
  const range = document.createRange();
  range.selectNodeContents(box);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  let done = false;
  try { done = document.execCommand('copy'); } catch (error) { done = false; }
  if (done) selection.removeAllRanges();
  return done;
}

// The command of a remedy or a next step. Where a person mends, it does not: it judges again.
function stepCommand(step, command) {
  return command ? [step.judges ? make('p.muted', null, say('judge_again')) : null, commandBox(command)] : null;
}

// a command and its copy button
function commandBox(text) {
  const code = make('code', {tabindex: '0', role: 'group', 'aria-label': say('command')}, text);
  const button = make('button.copy', {type: 'button'}, say('copy'));
  button.addEventListener('click', async () => {
    const done = await copied(text, code);
    button.textContent = say(done ? 'copied' : 'copy_by_hand');
    button.classList.toggle('done', done);
    setTimeout(() => { button.textContent = say('copy'); button.classList.remove('done'); }, 2000);
  });
  return make('div.command', null, make('pre', null, code), button);
}

function table(heads, rows, attributes) {
  const cells = heads.map((head) => make('th', {scope: 'col'}, head));
  const kind = (attributes || {}).kind;
  return make('div.scroll' + (kind ? '.' + kind : ''), {tabindex: '0', role: 'region', 'aria-label': (attributes || {}).label},
    make('table', null, make('thead', null, make('tr', null, cells)), make('tbody', null, rows)));
}

async function unpacked(id) {
  const element = document.getElementById(id);
  if (!element) return null;
  const bytes = Uint8Array.from(atob(element.textContent), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return JSON.parse(await new Response(stream).text());
}
const unpacking = new Map();
function once(id) {
  if (!unpacking.has(id)) unpacking.set(id, unpacked(id));
  return unpacking.get(id);
}

// a host's details with the rows that it shares with others put in
async function details(number) {
  const [shared, host] = await Promise.all([once('shared'), once('host-' + number)]);
  const results = host.results.map((entry) => {
    const row = typeof entry === 'number' ? shared.rows[entry] : entry;
    const check = fleet.checks[row.check];
    return Object.assign({}, check, row, {severity: row.severity || check.severity});
  });
  return Object.assign({}, host, {results: results, meanings: shared.meanings});
}

async function wholeSnapshot(number, shown) {
  const packed = await once('snapshot-' + number);
  if (!packed) return null;
  for (const name of packed.shown) packed.rest[name] = shown[name];
  return packed.rest;
}

// hosts with and without a report, in one shape
const people = fleet.hosts.map((host, number) => Object.assign({}, host, {
  number: number,
  kind: host.name in fleet.stopped ? 'stopped' : host.verdict in TONES ? host.verdict : 'unknown',
  stopped: host.name in fleet.stopped ? fleet.stopped[host.name] : null,
})).concat(fleet.silent.map((host) => Object.assign({kind: 'silent', number: null, cells: '', counts: {}}, host)));
const silentText = (host) => [say('silent_' + host.why), host.reason].filter(Boolean).join(' ');

const hostLink = (name, check) => '#h/' + encodeURIComponent(name) + (check ? '/' + encodeURIComponent(check) : '');
