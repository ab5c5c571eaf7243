// Copyright (c) 2026 The gpuready authors
// GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// The view of one host: verdict, next command, tier, version ladder, checks, probes, snapshot.

const anchor = (id) => 'check-' + id;

function hostView(host, more, wanted) {
  const view = make('article.host-view');
  if (people.length > 1) view.append(make('p.screen', null, make('a.back', {href: '#'}, '← ' + say('back'))));
  view.append(hostHead(host, more));
  if (host.number === null) {
    view.append(make('p', null, silentText(host)), nextSection(host, {people: []}));
    return view;
  }
  const snapshot = more.snapshot || {};
  view.append(...[
    nextSection(host, more), ladderSection(more), checksSection(host, more.results, wanted),
    gpuSection(snapshot, more.results, host), topologySection(snapshot), timelineSection(snapshot, more),
    probesSection(snapshot), rawSection(host, more),
  ].filter(Boolean));
  view.querySelector('.verdict').after(jumps(view));
  return view;
}

function hostHead(host, more) {
  const counts = STATUSES.filter((status) => host.counts[status]).map((status) =>
    badge(status, SYMBOLS[status], say(status) + ' ' + host.counts[status]));
  const facts = [listed(host.gpus || []), host.collected_at && say('taken', {time: shownTime(host.collected_at)})];
  return make('header.verdict.t-' + TONES[host.kind], null,
    make('h2', {tabindex: '-1'}, host.name),
    make('p.word', null, make('span.symbol', {'aria-hidden': 'true'}, SYMBOLS[host.kind]), ' ', verdictWord(host.kind)),
    host.stopped ? make('p', null, say('stopped_text', {text: host.stopped})) : null,
    make('p.badges', null, counts),
    make('p.muted', null, facts.filter(Boolean).join(' · ')),
    more && more.tier ? tierLines(more.tier) : null,
    host.simulated ? make('p.simulated', null, badge('sim', '⚠', say('simulated')), ' ',
      say('simulated_text', {text: (more && more.simulated_text) || ''})) : null);
}

// buttons, not links: the address names the host and the check
function jumps(view) {
  const heads = [...view.querySelectorAll('section h3')];
  return make('nav.jumps.screen', {'aria-label': say('sections')}, heads.map((head) => make('button', {
    type: 'button', onclick: () => {
      const fold = head.closest('details');
      if (fold) fold.open = true;
      head.tabIndex = -1;
      head.scrollIntoView({block: 'start'});
      head.focus({preventScroll: true});
    },
  }, head.textContent)));
}

function nextSection(host, more) {
  const marks = [host.needs_reboot ? badge('warn', '↻', say('needs_reboot')) : null,
    more.people.length ? badge('warn', '☝', say('waits_person')) : null].filter(Boolean);
  return make('section.card.next', null, make('h3', null, say('next')),
    make('p', null, told(host.next, 'text')),
    stepCommand(host.next, host.next.command),
    marks.length ? make('p.badges', null, marks) : null,
    more.people.length ? make('ul', null, more.people.map((point) =>
      make('li', null, checkLink(host, point.id), ': ', told(point, 'text')))) : null);
}

const checkLink = (host, id) => make('a', {href: hostLink(host.name, id)}, id);

function tierLines(tier) {
  const good = tier[state.language === 'zh' ? 'good_for_zh' : 'good_for'] || tier.good_for || '';
  return make('p', null, say('tier') + ': ', make('strong', null, told(tier, 'title') || tier.id),
    good.length ? [' — ', say('good_for', {text: Array.isArray(good) ? listed(good) : good})] : null);
}

function ladderSection(more) {
  const rungs = more.ladder || [];
  if (!rungs.length) return null;
  const tones = {ok: 'pass', mismatch: 'fail', missing: 'skip', unknown: 'unknown'};
  const items = rungs.map((rung) => make('li.rung.t-' + (tones[rung.status] || 'unknown'), null,
    make('span.label', null, told(rung, 'label'), rung.entity ? ' · ' + rung.entity : ''),
    make('span.value', null, rung.value === null || rung.value === undefined ? '—' : plain(rung.value)),
    make('span.fits', null, make('span.symbol', {'aria-hidden': 'true'}, SYMBOLS[rung.status] || '?'), ' ',
      say('rung_' + (rung.status in tones ? rung.status : 'unknown'))),
    told(rung, 'note') ? make('span.note', null, told(rung, 'note')) : null));
  return make('section.card', null, make('h3', null, say('ladder')),
    make('p.muted', null, say('ladder_hint')), make('ol.ladder', null, items));
}

// the filter must let a check through that a link leads to
function letThrough(results, wanted) {
  for (const result of results.filter((one) => one.id === wanted)) state.statuses.add(result.status);
  state.stage = '';
  state.checkQuery = '';
}

function checksSection(host, results, wanted) {
  if (wanted) letThrough(results, wanted);
  const list = make('div.checks');
  const count = make('span.muted', {role: 'status'});
  const redraw = () => {
    const shown = results.filter(fits);
    count.textContent = say('shown_checks', {shown: shown.length, total: results.length});
    const idle = results.some((result) => isOpen(result.status)) ? 'no_check_match' : 'nothing_open';
    list.replaceChildren(...(shown.length ? withAnchors(shown, host, results) : [make('p.empty', null, say(idle))]));
  };
  const buttons = STATUSES.map((status) => {
    const number = results.filter((result) => result.status === status).length;
    const button = make('button.filter.t-' + status,
      {type: 'button', 'aria-pressed': String(state.statuses.has(status))},
      make('span.symbol', {'aria-hidden': 'true'}, SYMBOLS[status]), ' ' + say(status) + ' ' + number);
    button.addEventListener('click', () => {
      if (!state.statuses.delete(status)) state.statuses.add(status);
      button.setAttribute('aria-pressed', String(state.statuses.has(status)));
      redraw();
    });
    return button;
  });
  const stage = make('select', {'aria-label': say('stage'), onchange: () => { state.stage = stage.value; redraw(); }},
    make('option', {value: ''}, say('all_stages')),
    [...new Set(results.map((result) => result.stage))].map((name) => make('option', {value: name}, say(name))));
  stage.value = state.stage;
  const search = make('input', {type: 'search', 'aria-label': say('search_check'), placeholder: say('search_check'),
    value: state.checkQuery, oninput: () => { state.checkQuery = search.value; redraw(); }});
  redraw();
  return make('section', {id: 'checks'}, make('div.section-head', null, make('h3', null, say('checks')), count),
    make('div.controls', null, make('div.filters', {role: 'group', 'aria-label': say('status')}, buttons), stage, search),
    list);
}

function fits(result) {
  const query = state.checkQuery.trim().toLowerCase();
  const text = [result.id, told(result, 'title'), told(result, 'message'), result.entity || ''].join(' ').toLowerCase();
  return state.statuses.has(result.status) && (!state.stage || state.stage === result.stage)
    && (!query || text.includes(query));
}

// worst first; the first result of a check carries the place that links lead to
function withAnchors(shown, host, results) {
  const met = new Set();
  const order = {blocker: 0, major: 1, minor: 2, info: 3};
  const sorted = shown.slice().sort((a, b) => STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status)
    || order[a.severity] - order[b.severity]);
  return sorted.map((result) => {
    const first = !met.has(result.id);
    met.add(result.id);
    return checkCard(result, host, results, first);
  });
}

function checkCard(result, host, results, first) {
  const causes = [...new Set(results.filter((other) => other.caused_by === result.id).map((other) => other.id))];
  const card = make('article.check.s-' + result.status, {id: first ? anchor(result.id) : null, tabindex: '-1'},
    make('h4', null, badge(result.status, SYMBOLS[result.status], say(result.status)),
      make('span.id', null, result.id), make('span.title', null, told(result, 'title')),
      result.entity ? make('span.entity', null, result.entity) : null,
      isOpen(result.status) ? make('span.severity', null, say(result.severity)) : null,
      result.waived ? make('span.severity', null, say('waived')) : null),
    make('p.message', null, told(result, 'message'),
      result.caused_by ? [' ', make('a', {href: hostLink(host.name, result.caused_by)},
        say('caused_by', {id: result.caused_by}))] : null));
  const values = ['observed', 'expected'].filter((name) => result[name] !== undefined && result[name] !== null);
  if (values.length) {
    card.append(make('dl', null, values.flatMap((name) =>
      [make('dt', null, say(name)), make('dd', null, make('code', null, plain(result[name])))])));
  }
  if (result.remedy) {
    card.append(make('div.remedy', null, make('p', null, make('strong', null, say('remedy') + ': '),
      told(result.remedy, 'text')), stepCommand(result.remedy, result.remedy.command)));
  }
  if ((result.evidence || []).length) {
    card.append(make('details', null, make('summary', null, say('evidence') + ' (' + result.evidence.length + ')'),
      make('ul.evidence', null, result.evidence.map((item) =>
        make('li', null, make('code', null, item.path + ' = ' + plain(item.value)))))));
  }
  if (causes.length) {
    card.append(make('p.muted', null, say('causes') + ': ', causes.flatMap((id, at) =>
      [at ? ', ' : '', checkLink(host, id)])));
  }
  return card;
}

function probesSection(snapshot) {
  const probes = Object.entries(snapshot.probes || {}).filter((entry) => entry[1]);
  if (!probes.length) return null;
  const longest = Math.max(1, ...probes.map(([, probe]) => probe.ms || 0));
  const tones = {ok: 'pass', missing: 'skip', timeout: 'fail'};
  const rows = probes.sort((a, b) => (b[1].ms || 0) - (a[1].ms || 0)).map(([name, probe]) => make('tr', null,
    make('th', {scope: 'row'}, name),
    make('td', null, badge(tones[probe.status] || 'warn', probe.status === 'ok' ? '✓' : '!',
      say('probe_' + probe.status))),
    make('td.bar', null, make('meter', {min: '0', max: String(longest), value: String(probe.ms || 0), 'aria-hidden': 'true'}),
      ' ', String(probe.ms === undefined ? '' : probe.ms)),
    make('td', null, make('code', null, probe.source || '')), make('td', null, probe.error || '')));
  const collector = snapshot.collector || {};
  return make('section', null, make('details', null,
    make('summary', null, make('h3', null, say('probes') + ' (' + probes.length + ')')),
    collector.total_ms === undefined ? null
      : make('p.muted', null, say('probes_hint', {total: collector.total_ms, own: collector.own_ms})),
    table([say('probe'), say('status'), say('time_ms'), say('source'), say('error')], rows, {label: say('probes')})));
}

function rawSection(host, more) {
  const prints = make('p.muted', null, make('small', null,
    say('fingerprints', {snapshot: more.snapshot_sha256, policy: more.policy_sha256})));
  const head = make('h3', null, say('raw'));
  if (!more.snapshot) return make('section', null, head, make('p.muted', null, say('raw_none')), prints);
  if (!document.getElementById('snapshot-' + host.number)) {
    const file = fleet.files[host.name] || say('raw_beside');
    return make('section', null, head, make('p.muted', null, say('raw_absent', {file: file})), prints);
  }
  const box = make('pre.raw', {tabindex: '0'}, say('loading'));
  const fold = make('details.raw-fold', {ontoggle: async () => {
    if (!fold.open || box.done) return;
    box.done = true;
    box.textContent = JSON.stringify(await wholeSnapshot(host.number, more.snapshot), null, 1);
  }}, make('summary', null, head), box);
  return make('section', null, fold, prints);
}
