// Copyright (c) 2026 The gpuready authors
// GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// Tables and drawings of a snapshot's hardware: GPUs, how they are joined, the kernel's messages on them.

// Which column a check judges. The checks decide what is wrong, by the policy; the page only marks where.
const COLUMN_OF = {
  'DRV-MEM-SIZE': 'memory', 'DRV-IDLE': 'memory', 'DRV-PCIE-WIDTH': 'link', 'DRV-PCIE-GEN': 'link',
  'DRV-PCIE-REPLAY': 'link', 'DRV-AER': 'link', 'DRV-THERMAL': 'temperature', 'DRV-THROTTLE-HIST': 'temperature',
  'DRV-POWER': 'power', 'DRV-ECC-MODE': 'ecc', 'DRV-ECC-UNC': 'ecc', 'DRV-ECC-CORR': 'ecc', 'DRV-REMAP': 'remap',
  'DRV-RETIRED': 'remap', 'DRV-MIG': 'mig', 'DRV-PERSIST': 'persistence', 'DRV-RECOVERY': 'recovery',
  'DRV-GPU-LOST': 'state', 'DRV-UNIFORM': 'model',
};
const GPU_COLUMNS = ['model', 'state', 'recovery', 'memory', 'link', 'temperature', 'power', 'ecc', 'remap', 'mig',
  'persistence'];

const known = (value) => value !== null && value !== undefined;
const number = (value, unit) => (known(value) ? Math.round(value) + unit : '—');
const onOff = (value) => (known(value) ? say(value ? 'on' : 'off') : '—');

const gpuName = (gpu) => 'GPU ' + gpu.index;
const isOf = (result, gpu) => Boolean(result.entity)
  && (result.entity === gpu.bdf || result.entity === gpuName(gpu) || (known(gpu.uuid) && result.entity === gpu.uuid));

function gpuSection(snapshot, results, host) {
  if (!Array.isArray(snapshot.gpus)) return null;
  const gpus = snapshot.gpus.filter((gpu) => gpu && typeof gpu === 'object');
  if (!gpus.length) return make('section', null, make('h3', null, say('gpus')), make('p.empty', null, say('no_gpus')));
  const open = results.filter((result) => isOpen(result.status));
  const rows = gpus.map((gpu) => gpuRow(gpu, open, host));
    const heads = ['gpu', ...GPU_COLUMNS].map((key) => say(key));
  return make('section', null, make('h3', null, say('gpus') + ' (' + gpus.length + ')'),
    table(heads, rows, {label: say('gpus'), kind: 'gpus'}),
    rows.some((row) => row.querySelector('a')) ? make('p.muted.screen', null, say('gpu_legend')) : null);
}

function gpuRow(gpu, open, host) {
  // one result on several GPUs names them in its message
  const mine = open.filter((result) => isOf(result, gpu) || (!result.entity && gpu.bdf && result.message.includes(gpu.bdf)));
  const cells = GPU_COLUMNS.map((column) => {
    const marks = mine.filter((result) => COLUMN_OF[result.id] === column);
    const worst = STATUSES.find((status) => marks.some((result) => result.status === status)) || plainFault(gpu, column);
    if (!worst) return make('td', null, gpuCell(gpu, column));
    const content = [make('span.symbol', {'aria-label': say(worst), role: 'img'}, SYMBOLS[worst]), ' ',
      gpuCell(gpu, column)];
    if (!marks.length) return make('td.t-' + worst, null, content);
    return make('td.t-' + worst, {title: told(marks[0], 'message')},
      make('a', {href: hostLink(host.name, marks[0].id)}, content));
  });
  return make('tr', null, make('th', {scope: 'row'}, gpuName(gpu), make('small', null, gpu.bdf || '')), cells);
}

// what the driver itself calls a fault is marked even where a check was not judged
function plainFault(gpu, column) {
  const rows = gpu.remapped_rows || gpu.retired_pages || {};
  if (column === 'state') return known(gpu.state) && gpu.state !== 'ok' ? 'fail' : '';
  if (column === 'recovery') return known(gpu.recovery_action) && gpu.recovery_action !== 'None' ? 'fail' : '';
  if (column === 'remap') return rows.failure ? 'fail' : rows.pending ? 'warn' : '';
  return '';
}

function gpuCell(gpu, column) {
  const pcie = gpu.pcie || {};
  switch (column) {
    case 'model': return gpu.name || '—';
    case 'memory': return known(gpu.memory_total_mib) ? (known(gpu.memory_used_mib) ? gpu.memory_used_mib + ' / ' : '')
      + gpu.memory_total_mib + ' MiB' : '—';
    case 'link': return linkCell(pcie);
    case 'temperature': return number(gpu.temperature_c, ' °C');
    case 'power': return known(gpu.power_draw_w) || known(gpu.power_limit_w)
      ? number(gpu.power_draw_w, '') + ' / ' + number(gpu.power_limit_w, ' W') : '—';
    case 'ecc': return eccCell(gpu);
    case 'remap': return remapCell(gpu);
    case 'mig': return onOff(gpu.mig) + (known(gpu.mig_pending) && gpu.mig_pending !== gpu.mig
      ? ' → ' + onOff(gpu.mig_pending) : '');
    case 'persistence': return onOff(gpu.persistence);
    case 'recovery': return gpu.recovery_action === 'None' ? say('none') : gpu.recovery_action || '—';
    case 'state': return known(gpu.state) ? say('gpu_' + gpu.state) : '—';
    default: return '';
  }
}

function linkCell(pcie) {
  const link = (gen, width) => 'Gen' + (gen || '?') + ' x' + (width || '?');
  if (!known(pcie.width_current)) return '—';
  const [now, most] = [link(pcie.gen_current, pcie.width_current), link(pcie.gen_max, pcie.width_max)];
  return now === most ? now : now + ' ' + say('link_of', {max: most});
}

function eccCell(gpu) {
  const counts = (gpu.ecc_errors || {}).volatile || {};
  const bad = (counts.sram_uncorrectable || 0) + (counts.dram_uncorrectable || 0);
  return onOff(gpu.ecc) + (known(gpu.ecc_pending) && gpu.ecc_pending !== gpu.ecc ? ' → ' + onOff(gpu.ecc_pending) : '')
    + (bad ? ', ' + say('uncorrected', {count: bad}) : '');
}

function remapCell(gpu) {
  const rows = gpu.remapped_rows || gpu.retired_pages;
  if (!rows) return '—';
  const count = (rows.correctable || 0) + (rows.uncorrectable || 0) + (rows.single_bit || 0) + (rows.double_bit || 0);
  return [say('rows', {count: count}), rows.pending && say('pending'), rows.failure && say('failed')].filter(Boolean)
    .join(', ');
}

function topologySection(snapshot) {
  const topology = snapshot.topology;
  if (!topology) return null;
  const parts = [];
  if (topology.matrix) parts.push(matrix(say('matrix'), topology.matrix.labels, topology.matrix.rows, 'matrix_legend'));
  if (topology.p2p) parts.push(matrix(say('p2p'), topology.p2p.labels, topology.p2p.read, 'p2p_legend'));
  if (topology.nvlink || topology.nvlink_message) parts.push(nvlinks(topology));
  if (!parts.length) return null;
  return make('section', null, make('details', {open: true}, make('summary', null, make('h3', null, say('topology'))),
    make('div.side-by-side', null, parts)));
}

const LINK_TONES = {X: 'none', OK: 'pass', PIX: 'pass', PXB: 'pass', PHB: 'skip', NODE: 'skip', SYS: 'warn'};
function linkTone(text) {
  return LINK_TONES[text] || (/^NV\d+$/.test(text) ? 'pass' : 'skip');
}

function matrix(title, labels, rows, legendKey) {
  const names = labels || [];
  const body = (rows || []).map((row, at) => make('tr', null, make('th', {scope: 'row'}, names[at] || String(at)),
    (row || []).map((text) => make('td.t-' + linkTone(text), null, text))));
  return make('div', null, make('h4', null, title), table(['', ...names], body, {label: title}),
    make('p.muted', null, make('small', null, say(legendKey))));
}

function nvlinks(topology) {
  const items = (topology.nvlink || []).map((links) => make('li', null, gpuName(links) + ': ',
    badge(links.inactive ? 'warn' : 'pass', SYMBOLS[links.inactive ? 'warn' : 'pass'],
      say('links', {active: links.active, all: links.active + links.inactive}))));
  return make('div', null, make('h4', null, say('nvlink')),
    topology.nvlink_message ? make('p', null, topology.nvlink_message) : null, make('ul.plain', null, items));
}

function timelineSection(snapshot, more) {
  if (!('kernel_log' in snapshot)) return null;
  const log = snapshot.kernel_log;
  const head = make('h3', null, say('timeline'));
  if (!log || !log.source) return make('section', null, head, make('p.empty', null, say('timeline_unread')));
  const hits = (log.hits || []).filter(Boolean);
  if (!hits.length) {
    return make('section', null, head, make('p.empty', null, say('timeline_none', {time: shownTime(log.since)})),
      log.truncated ? make('p.muted', null, say('timeline_cut')) : null);
  }
  const times = hits.map((hit) => Date.parse(hit.time)).filter(Number.isFinite);
  const end = Math.max(Date.parse(more.collected_at) || 0, ...times);
  const start = Math.min(...[Date.parse(log.since)].filter(Number.isFinite), ...times);
  const iso = (time) => shownTime(new Date(time).toISOString());
  const drawing = make('div.timeline');
  if (times.length) {
    new ResizeObserver(() => {
      const width = Math.max(300, Math.floor(drawing.clientWidth));
      if (drawing.drawn === width) return;
      drawing.drawn = width;
      drawing.replaceChildren(timeline(hits, snapshot.gpus, more.meanings, start, end, width));
    }).observe(drawing);
  }
  return make('section', null, head,
    make('p.muted', null, times.length ? say('timeline_hint', {start: iso(start), end: iso(end), source: log.source}) : ''),
    log.truncated ? make('p.muted', null, say('timeline_cut')) : null, times.length ? drawing : null,
    make('p.legend', null, make('span', null, badge('fail', '■', say('hits_hard'))),
      make('span', null, badge('warn', '●', say('hits_mild')))),
    log.left_out ? make('p.muted', null, say('timeline_more', {count: log.left_out})) : null,
    make('details', {open: hits.length <= 12}, make('summary', null, say('as_list') + ' (' + hits.length + ')'),
      hitTable(hits, snapshot.gpus, more.meanings)));
}

function laneOf(hit, gpus) {
  const gpu = (Array.isArray(gpus) ? gpus : []).find((one) => one && known(one.bdf) && one.bdf === hit.bdf);
  return gpu ? gpuName(gpu) : hit.bdf || say('whole_host');
}

const hitName = (hit) => (known(hit.code) ? 'Xid ' + hit.code : hit.signature).replace(/^Xid/,
  /sxid/i.test(hit.signature) ? 'SXid' : 'Xid');
const MILD = ['ignore', 'check_app', 'restart_app'];
function hitTone(hit, meanings) {
  const meaning = meanings[hit.code];
  return meaning && MILD.includes(meaning.action) ? 'warn' : 'fail';
}

function timeline(hits, gpus, meanings, start, end, width) {
  const lanes = [...new Set(hits.map((hit) => laneOf(hit, gpus)))].sort(byName);
  const left = Math.min(120, Math.max(...lanes.map((lane) => lane.length)) * 7 + 14);
  const right = 24;
  const laneHeight = 34;
  const height = lanes.length * laneHeight + 30;
  const span = Math.max(1, end - start);
  const x = (time) => left + (time - start) / span * (width - left - right);
  const svg = draw('svg', {viewBox: '0 0 ' + width + ' ' + height, width: width, height: height, role: 'img',
    'aria-label': say('timeline')});
  lanes.forEach((lane, at) => {
    const y = at * laneHeight + 22;
    svg.append(draw('text.lane', {x: 4, y: y + 4}, lane.length > 15 ? lane.slice(-15) : lane),
      draw('line.lane', {x1: left, x2: width - right, y1: y, y2: y}));
    const taken = [];
    // what is grave gets its label first
    const marks = hits.filter((hit) => laneOf(hit, gpus) === lane && Number.isFinite(Date.parse(hit.time)))
      .sort((a, b) => hitTone(a, meanings).localeCompare(hitTone(b, meanings)) || Date.parse(a.time) - Date.parse(b.time));
    for (const hit of marks) {
      const px = x(Date.parse(hit.time));
      const title = draw('title', null, shownTime(hit.time) + ' ' + lane + ' ' + hitName(hit) + ': ' + hit.text);
      svg.append(hitTone(hit, meanings) === 'fail' ? draw('rect.t-fail', {x: px - 6, y: y - 6, width: 12, height: 12}, title)
        : draw('circle.t-warn', {cx: px, cy: y, r: 6}, title));
      const half = hitName(hit).length * 3.6 + 3;
      const middle = Math.min(Math.max(px, left + half), width - half - 2);
      if (taken.some((other) => Math.abs(other.middle - middle) < other.half + half)) continue;
      taken.push({middle: middle, half: half});
      svg.append(draw('text.hit', {x: middle, y: y - 10, 'text-anchor': 'middle'}, hitName(hit)));
    }
  });
  svg.append(...svg.querySelectorAll('rect')); // and lies on top
  const ticks = Math.max(1, Math.floor((width - left) / 170));
  for (let tick = 0; tick <= ticks; tick += 1) {
    const time = start + span * tick / ticks;
    const label = new Date(time).toISOString();
    svg.append(draw('text.tick', {x: x(time), y: height - 4, 'text-anchor': tick === ticks ? 'end' : tick ? 'middle' : 'start'},
      label.slice(5, 10) + ' ' + label.slice(11, 16)));
  }
  return svg;
}

function hitTable(hits, gpus, meanings) {
  const told2 = (hit) => (meanings[hit.code] && !/sxid/i.test(hit.signature) ? told(meanings[hit.code], 'meaning') : '');
  const rows = hits.slice().sort((a, b) => String(b.time).localeCompare(String(a.time))).map((hit) => make('tr', null,
    make('td.nowrap', null, shownTime(hit.time)), make('td.nowrap', null, laneOf(hit, gpus)),
    make('td.nowrap', null, badge(hitTone(hit, meanings), hitTone(hit, meanings) === 'fail' ? '■' : '●', hitName(hit))),
    make('td', null, hit.count > 1 ? '× ' + hit.count : '1'),
    make('td', null, [hit.process, known(hit.pid) ? '(' + hit.pid + ')' : ''].filter(Boolean).join(' ')),
    make('td', null, told2(hit) ? make('p', null, told2(hit)) : null, make('code', null, hit.text))));
  return table([say('when'), say('gpu'), say('code'), say('times'), say('process'), say('message')], rows,
    {label: say('timeline')});
}
