// Copyright (c) 2026 The gpuready authors
// GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// Which view is shown: by the address behind #, in the language and theme chosen.

const app = document.getElementById('app');
const plainTable = document.getElementById('plain');
const trouble = document.getElementById('trouble');
const THEMES = ['auto', 'light', 'dark'];

function applyTheme() {
  if (state.theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = state.theme;
}

function tools() {
  const title = fleet.title || say('title');
  document.title = title;
  document.documentElement.lang = state.language === 'zh' ? 'zh-CN' : 'en';
  document.getElementById('title').textContent = title;
  document.getElementById('skip-link').textContent = say('skip_link');
  const language = make('div.switch', {role: 'group', 'aria-label': say('language')},
    [['en', 'EN'], ['zh', '中文']].map(([code, label]) => make('button', {
      type: 'button', lang: code === 'zh' ? 'zh-CN' : 'en', 'aria-pressed': String(code === state.language),
      onclick: () => { state.language = code; remember('language', code); show(); },
    }, label)));
  const theme = make('button', {type: 'button', title: say('theme'), onclick: () => {
    state.theme = THEMES[(THEMES.indexOf(state.theme) + 1) % THEMES.length];
    remember('theme', state.theme);
    applyTheme();
    tools();
  }}, {auto: '◐ ', light: '☀ ', dark: '☾ '}[state.theme] + say('theme_' + state.theme));
  theme.setAttribute('aria-label', say('theme') + ': ' + say('theme_' + state.theme));
  redrawn(document.getElementById('tools'), [
    fleet.generated_at ? make('span.muted', null, say('generated', {time: shownTime(fleet.generated_at)})) : '',
    language, theme, make('button.screen', {type: 'button', onclick: () => print()}, say('print'))]);
}

// New content; who was on one of its controls by keyboard stays on the same one.
function redrawn(place, content) {
  const controls = () => [...place.querySelectorAll('button, input, select')];
  const at = controls().indexOf(document.activeElement);
  place.replaceChildren(...content);
  const next = at >= 0 && controls()[at];
  if (next) next.focus({preventScroll: true});
}

// '' | '#h/<host>' | '#h/<host>/<check>'
function wanted() {
  const parts = location.hash.split('/');
  if (parts[0] !== '#h' || parts.length < 2) {
    return people.length === 1 ? {host: people[0], check: null} : {host: null, check: null};
  }
  let [name, check] = [parts[1], parts[2] || ''];
  try { [name, check] = [decodeURIComponent(name), decodeURIComponent(check)]; } catch (error) { /* as it stands */ }
  return {host: people.find((host) => host.name === name), check: check || null};
}

let turn = 0;
async function show(moved) {
  turn += 1;
  const mine = turn;
  tools();
  const {host, check} = wanted();
  let view;
  try {
    if (host === null) view = fleetView();
    else if (!host) view = make('p.empty', null, say('no_host'), ' ', make('a', {href: '#'}, say('back')));
    else view = hostView(host, host.number === null ? null : Object.assign({collected_at: host.collected_at},
      await details(host.number)), check);
  } catch (error) {
    console.error(error);
    trouble.textContent = say('cannot_unpack');
    trouble.hidden = false;
    plainTable.hidden = false;
    app.replaceChildren();
    return;
  }
  if (mine !== turn) return; // another view was asked for meanwhile
  plainTable.hidden = true;
  document.body.className = host === null ? 'all-hosts' : 'one-host';
  redrawn(app, [view]);
  const place = check && document.getElementById(anchor(check));
  if (place) {
    place.classList.add('wanted');
    if (moved || mine === 1) {
      place.scrollIntoView({block: 'start'});
      place.focus({preventScroll: true});
    }
  } else if (moved) {
    scrollTo(0, 0);
    const head = app.querySelector('h2');
    if (head) head.focus({preventScroll: true});
  }
}

// on paper nothing can be opened; the whole snapshot would be a book
let folded = [];
addEventListener('beforeprint', () => {
  folded = [...document.querySelectorAll('details:not([open]):not(.raw-fold)')];
  for (const fold of folded) fold.open = true;
});
addEventListener('afterprint', () => { for (const fold of folded) fold.open = false; });
addEventListener('hashchange', () => show(true));
// the address names the view: a jump inside it must leave it as it is
document.getElementById('skip-link').addEventListener('click', (event) => {
  event.preventDefault();
  document.getElementById('main').focus();
});

state.language = remembered('language', Object.keys(fleet.words)) || fleet.language;
state.theme = remembered('theme', THEMES) || 'auto';
applyTheme();
show();
