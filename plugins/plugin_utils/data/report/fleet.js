// Copyright (c) 2026 The gpuready authors
// GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// The view of all hosts: counts, the heat map hosts x checks, and what to do next.

const byName = new Intl.Collator(undefined, {numeric: true}).compare;
const statusAt = (host, column) => BY_LETTER[host.cells[column]];
const isOpen = (status) => OPEN.includes(status);

function fleetView() {
  const view = make('div.fleet');
  const results = make('div');
  const redraw = () => { results.replaceChildren(...fleetResults()); };
  view.append(make('h2', {tabindex: '-1'}, say('fleet')), runVerdict(), tiles(redraw));
  if (people.some((host) => host.simulated)) {
    view.append(make('p.simulated', null, badge('sim', '⚠', say('simulated')), ' ', say('simulated_all')));
  }
  view.append(fleetControls(redraw), results);
  redraw();
  return view;
}

// the run is as good as its worst host
function runVerdict() {
  const worst = VERDICTS.find((kind) => people.some((host) => host.kind === kind)) || 'unknown';
  const good = people.filter((host) => host.kind.startsWith('ready')).length;
  return make('p', {id: 'run-verdict'}, badge(TONES[worst], SYMBOLS[worst], verdictWord(worst)), ' ',
    say('ready_of', {ready: good, total: people.length}));
}

// one tile a verdict; each filters
function tiles(redraw) {
  const row = make('div.tiles', {role: 'group', 'aria-label': say('verdict')});
  for (const kind of VERDICTS) {
    const count = people.filter((host) => host.kind === kind).length;
    if (!count && kind !== 'ready' && kind !== 'not_ready') continue;
    const tile = make('button.tile.t-' + TONES[kind], {
      type: 'button', 'aria-pressed': String(state.verdicts.has(kind)),
      title: say('show_only', {what: verdictWord(kind)}),
    }, make('span.number', null, make('span.symbol', {'aria-hidden': 'true'}, SYMBOLS[kind]), ' ' + count),
    make('span.word', null, verdictWord(kind)));
    tile.addEventListener('click', () => {
      if (!state.verdicts.delete(kind)) state.verdicts.add(kind);
      tile.setAttribute('aria-pressed', String(state.verdicts.has(kind)));
      redraw();
    });
    row.append(tile);
  }
  return row;
}

function fleetControls(redraw) {
  const search = make('input', {type: 'search', value: state.query, oninput: () => {
    state.query = search.value;
    redraw();
  }});
  const open = make('input', {type: 'checkbox', checked: state.onlyOpen, onchange: () => {
    state.onlyOpen = open.checked;
    redraw();
  }});
  const order = make('select', {id: 'order', onchange: () => {
    state.sort = order.value;
    redraw();
  }});
  for (const key of ['verdict', 'name', 'given']) order.append(make('option', {value: key}, say('sort_' + key)));
  if (state.sort.startsWith('check:')) {
    order.append(make('option', {value: state.sort}, say('by_check', {id: state.sort.slice(6)})));
  }
  order.value = state.sort;
  return make('div.controls', null,
    make('label', null, say('search_host') + ' ', search),
    make('label', null, say('sort') + ' ', order),
    make('label', null, open, ' ' + say('only_open')));
}

function shownHosts() {
  const query = state.query.trim().toLowerCase();
  const found = people.filter((host) => (!state.verdicts.size || state.verdicts.has(host.kind))
    && (!query || host.name.toLowerCase().includes(query)));
  const fails = (host) => host.counts.fail || 0;
  const worst = (a, b) => VERDICTS.indexOf(a.kind) - VERDICTS.indexOf(b.kind) || fails(b) - fails(a)
    || (b.counts.warn || 0) - (a.counts.warn || 0) || byName(a.name, b.name);
  if (state.sort === 'name') found.sort((a, b) => byName(a.name, b.name));
  else if (state.sort === 'verdict') found.sort(worst);
  else if (state.sort.startsWith('check:')) {
    const column = fleet.checks.findIndex((check) => check.id === state.sort.slice(6));
    const rank = (host) => (statusAt(host, column) ? STATUSES.indexOf(statusAt(host, column)) : STATUSES.length);
    found.sort((a, b) => rank(a) - rank(b) || worst(a, b));
  }
  return found;
}

function fleetResults() {
  const hosts = shownHosts();
  const columns = [];
  fleet.checks.forEach((check, column) => {
    if (!state.onlyOpen || hosts.some((host) => isOpen(statusAt(host, column)))) columns.push(column);
  });
  const count = make('span.muted', {role: 'status'}, say('hosts_of', {shown: hosts.length, total: people.length}));
  return [
    make('div.section-head', null, make('h3', null, say('heat_map')), count),
    make('p.muted.screen', null, say('heat_hint')),
    legend(),
    hosts.length ? heatMap(hosts, columns) : make('p.empty', null, say('no_match')),
    hosts.length && !columns.length ? make('p.empty', null, say('all_columns_pass')) : null,
    nextSteps(hosts),
  ].filter(Boolean);
}

function legend() {
  return make('p.legend', {'aria-label': say('legend')}, [...STATUSES].reverse().map((status) =>
    make('span', null, make('span.cell.t-' + status, {'aria-hidden': 'true'}, SYMBOLS[status]), ' ' + say(status))));
}

function heatMap(hosts, columns) {
  const head = make('tr');
  const stages = make('tr.stages', null, make('th.corner', {scope: 'col', rowspan: '2'}, say('host')));
  let stage = null;
  for (const column of columns) {
    const check = fleet.checks[column];
    const first = check.stage !== stage;
    if (first) {
      stage = check.stage;
      const width = columns.filter((other) => fleet.checks[other].stage === stage).length;
      // two columns are too narrow for a stage's name
      const short = width < 4;
      stages.append(make('th.first', {scope: 'colgroup', colspan: String(width), title: say(stage)},
        make('span', null, short ? check.id.split('-')[0] : say(stage))));
    }
    head.append(make('th.check' + (first ? '.first' : ''), {
      scope: 'col', 'aria-sort': state.sort === 'check:' + check.id ? 'descending' : null,
    }, make('button', {
      type: 'button', title: check.id + ': ' + told(check, 'title'),
      onclick: () => { state.sort = 'check:' + check.id; show(); },
    }, check.id)));
  }
  const grid = make('table.heat', {role: 'grid', 'aria-label': say('heat_map')},
    make('thead', null, stages, head), make('tbody', null, hosts.map((host) => heatRow(host, columns))));
  // widths for the style: a stage's name stays beside the hosts, and on paper all columns fit
  const longest = Math.max(...hosts.map((host) => host.name.length));
  grid.style.setProperty('--host', Math.min(20, Math.max(8, longest * 0.62 + 6)) + 'rem');
  grid.style.setProperty('--columns', String(Math.max(columns.length, 30)));
  moveByKeys(grid);
  tellOnHover(grid);
  return make('div.heat-scroll', {tabindex: '-1'}, grid);
}

function heatRow(host, columns) {
  const name = make('th.host', {scope: 'row', title: host.name + ': ' + verdictWord(host.kind)}, make('div', null,
    make('span.cell.t-' + TONES[host.kind], {role: 'img', 'aria-label': verdictWord(host.kind)}, SYMBOLS[host.kind]),
    make('a', {href: hostLink(host.name)}, host.name),
    host.simulated ? make('span.mini.t-sim', {title: say('simulated')}, 'SIM') : null,
    host.needs_reboot ? make('span.mini.t-warn', {title: say('needs_reboot')}, say('reboot_short')) : null,
    host.people ? make('span.mini.t-warn', {title: say('waits_person')}, say('person_short')) : null));
  const row = make('tr', null, name);
  let stage = null;
  for (const column of columns) {
    const status = statusAt(host, column);
    const first = fleet.checks[column].stage !== stage;
    stage = fleet.checks[column].stage;
    const cell = document.createElement('td');
    cell.className = (status ? 't-' + status : 't-none') + (first ? ' first' : '');
    cell.textContent = status ? SYMBOLS[status] : '';
    cell.tabIndex = -1;
    cell.host = host;
    cell.column = column;
    row.append(cell);
  }
  return row;
}

const toldCell = (cell) => {
  const check = fleet.checks[cell.column];
  const status = statusAt(cell.host, cell.column);
  return cell.host.name + ', ' + check.id + ' (' + told(check, 'title') + '): ' + say(status || 'not_in_run');
};

// titles only where somebody looks: 200 hosts have 25000 cells
function tellOnHover(grid) {
  const tell = (event) => {
    const cell = event.target;
    if (cell.column === undefined || cell.title) return;
    cell.title = toldCell(cell);
    cell.setAttribute('aria-label', cell.title);
  };
  grid.addEventListener('mouseover', tell);
  grid.addEventListener('focusin', tell);
}

function moveByKeys(grid) {
  const rows = [...grid.tBodies[0].rows];
  if (rows.length && rows[0].cells.length > 1) rows[0].cells[1].tabIndex = 0;
  const steps = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
  const open = (cell) => { location.hash = hostLink(cell.host.name, fleet.checks[cell.column].id); };
  grid.addEventListener('click', (event) => { if (event.target.column !== undefined) open(event.target); });
  grid.addEventListener('keydown', (event) => {
    const cell = event.target;
    if (cell.column === undefined) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      open(cell);
    }
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const row = rows[rows.indexOf(cell.parentNode) + step[0]];
    const next = row && row.cells[cell.cellIndex + step[1]];
    if (!next || next.column === undefined) return;
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

// as the report quotes letters beyond ASCII
const shellWord = (text) => (/^[A-Za-z0-9_.,-]+$/.test(text) ? text : "'" + text + "'");

// What stands before and after the host's name where Ansible takes a list of hosts; null: nowhere.
function aroundHost(command, name) {
  const word = shellWord(name);
  const places = command.startsWith('ansible-playbook ') ? [[' -l ', ' ']] : [[' ', ' -b -m '], [' ', ' -m ']];
  for (const [before, after] of places) {
    const at = (command + ' ').indexOf(before + word + after);
    if (at >= 0) return [command.slice(0, at + before.length), command.slice(at + before.length + word.length)];
  }
  return null;
}

// a few reasons tell enough: a hundred hosts may each have one of their own
function silentNotes(hosts) {
  const all = [...new Set(hosts.map(silentText))];
  return all.slice(0, 4).map((text, at) => make('p.note', null, text, at === 3 && all.length > 4 ? ' …' : ''));
}

// Hosts with the same next command, but for their name, get one command for all of them. The worst comes first, then what
// helps the most hosts.
function nextSteps(hosts) {
  const groups = new Map();
  for (const host of hosts.filter((one) => one.next.command || one.kind === 'stopped')) {
    const command = host.next.command || '';
    const simple = /^[\p{L}\p{N}_.-]+$/u.test(host.name) && !host.stopped;
    const parts = simple ? aroundHost(command, host.name) : null;
    const key = JSON.stringify(parts ? [parts, host.next.text] : [command, host.name]);
    if (!groups.has(key)) groups.set(key, {hosts: [], parts: parts, command: command, next: host.next});
    groups.get(key).hosts.push(host);
  }
  if (!groups.size) return make('p.empty', null, say('nothing_to_do'));
  const worst = (group) => Math.min(...group.hosts.map((host) => VERDICTS.indexOf(host.kind)));
  const sorted = [...groups.values()].sort((a, b) => worst(a) - worst(b) || b.hosts.length - a.hosts.length);
  const items = sorted.map((group) => {
    const names = group.hosts.map((host) => host.name);
    const command = group.parts ? group.parts[0] + shellWord(names.join(',')) + group.parts[1] : group.command;
    const links = group.hosts.slice(0, 12).flatMap((host, at) =>
      [at ? ', ' : '', make('a', {href: hostLink(host.name)}, host.name)]);
    return make('li', null,
      command || !group.hosts[0].stopped ? make('p', null, make('strong', null, told(group.next, 'text'))) : null,
      make('p.muted', null, names.length > 1 ? names.length + ' × ' : '', links, names.length > 12 ? ' …' : ''),
      group.hosts.map((host) => host.stopped && make('p.t-fail.note', null, say('stopped_text', {text: host.stopped}))),
      silentNotes(group.hosts.filter((host) => host.why)),
      stepCommand(group.next, command));
  });
  return make('section', null, make('h3', null, say('next_steps')), make('ul.steps', null, items));
}
