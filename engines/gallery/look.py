"""How the gallery looks and what its buttons do: one style sheet and one script, both inside the page."""

STYLE = """
:root {
  --paper: #fbfaf7; --card: #ffffff; --ink: #22252b; --soft: #6b6f78; --line: #e4e1da; --accent: #2f5fb3;
  --gold: #1d6b43; --gold-back: #e6f3ea; --held: #8a4b12; --held-back: #f9ecdd; --shadow: 0 1px 3px rgb(30 25 15 / .09);
}
:root[data-theme=dark] {
  --paper: #16181c; --card: #1f2227; --ink: #e6e6e3; --soft: #9a9ea8; --line: #30343b; --accent: #8ab0f2;
  --gold: #8fd6ab; --gold-back: #1d3427; --held: #e6b27c; --held-back: #3a2b1b; --shadow: 0 1px 3px rgb(0 0 0 / .5);
}
* { box-sizing: border-box; }
html { scroll-padding-top: 6rem; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 ui-sans-serif, system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif; }
header { position: sticky; top: 0; z-index: 5; background: color-mix(in srgb, var(--paper) 92%, transparent);
  backdrop-filter: blur(8px); border-bottom: 1px solid var(--line); padding: .7rem clamp(1rem, 3vw, 2.5rem) .6rem; }
header h1 { margin: 0 1.2rem 0 0; font: 600 1.25rem/1.2 ui-serif, Georgia, "Noto Serif", serif; letter-spacing: .01em; }
.bar { display: flex; flex-wrap: wrap; gap: .5rem 1.1rem; align-items: center; }
.bar + .bar { margin-top: .5rem; }
.group { display: flex; flex-wrap: wrap; gap: .25rem; align-items: center; }
.group span { color: var(--soft); font-size: .8rem; margin-right: .2rem; }
button, input[type=search] { font: inherit; font-size: .85rem; color: var(--ink); background: var(--card);
  border: 1px solid var(--line); border-radius: 999px; padding: .2rem .75rem; }
button { cursor: pointer; }
button[aria-pressed=true] { background: var(--accent); border-color: var(--accent); color: var(--paper); }
button:focus-visible, input:focus-visible, summary:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px; }
main { padding: 0 clamp(1rem, 3vw, 2.5rem) 5rem; max-width: 1800px; margin: auto; }
.category > h2 { font: 600 1.9rem/1.2 ui-serif, Georgia, "Noto Serif", serif; margin: 2.6rem 0 .2rem; }
.category > p { margin: 0; color: var(--soft); }
.type { padding-top: 1.6rem; content-visibility: auto; contain-intrinsic-size: auto 620px; }
.type h3 { font-size: 1.05rem; margin: 0 0 .7rem; display: flex; gap: .6rem; align-items: baseline; }
.type h3 small { font-weight: 400; color: var(--soft); }
.badge { font-size: .72rem; font-weight: 600; color: var(--held); background: var(--held-back); border-radius: 4px;
  padding: .05rem .4rem; }
.cards { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--wide, 400px)), 1fr)); }
[data-view=clean], [data-view=photo] { --wide: 240px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; box-shadow: var(--shadow);
  overflow: hidden; display: flex; flex-direction: column; }
.pair { display: flex; gap: 2px; background: var(--line); }
.pair img { flex: 1 1 0; min-width: 0; width: 100%; aspect-ratio: 1; display: block; cursor: zoom-in;
  background: #fff; }
[data-view=clean] .photo, [data-view=photo] .clean { display: none; }
.text { padding: .7rem .9rem .8rem; display: flex; flex-direction: column; gap: .45rem; flex: 1; }
.question { margin: 0; overflow-wrap: anywhere; }
.gold { display: inline-block; font-weight: 600; color: var(--gold); background: var(--gold-back); border-radius: 5px;
  padding: .05rem .5rem; overflow-wrap: anywhere; }
.meta { display: flex; flex-wrap: wrap; gap: .3rem .8rem; font-size: .8rem; color: var(--soft); align-items: baseline; }
details { font-size: .84rem; margin-top: auto; }
summary { cursor: pointer; color: var(--accent); }
details p { margin: .4rem 0; white-space: pre-line; }
details ul { margin: .4rem 0; padding-left: 1.1rem; }
code { font: .78rem/1.4 ui-monospace, "Noto Sans Mono", monospace; overflow-wrap: anywhere; color: var(--soft); }
dialog { border: 0; padding: 0; background: transparent; max-width: 96vw; max-height: 96vh; }
dialog::backdrop { background: rgb(10 10 12 / .75); }
dialog img { display: block; width: min(92vw, 92vh, 896px); image-rendering: auto; border-radius: 8px; }
.hidden, .none { display: none !important; }
nav { display: flex; flex-wrap: wrap; gap: .1rem .8rem; margin-top: .6rem; font-size: .84rem; }
nav a { color: var(--accent); text-decoration: none; }
nav a:hover { text-decoration: underline; }
@media (max-width: 700px) { header { position: static; } html { scroll-padding-top: 0; } }
@media print { header { position: static; } .type { content-visibility: visible; } }
"""

SCRIPT = """
const root = document.documentElement, all = query => [...document.querySelectorAll(query)];
const wanted = { category: new Set(), level: new Set() }, search = document.querySelector('input[type=search]');
const preferred = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
root.dataset.theme = new URLSearchParams(location.search).get('theme') || preferred;
function refresh() {
  const words = search.value.trim().toLowerCase();
  const fits = (set, value) => !set.size || set.has(value);
  for (const card of all('.card')) card.classList.toggle('hidden', !fits(wanted.level, card.dataset.level));
  for (const type of all('.type')) {
    const named = !words || type.id.toLowerCase().includes(words);
    type.classList.toggle('hidden', !named || !type.querySelector('.card:not(.hidden)'));
  }
  for (const part of all('.category')) {
    const empty = !part.querySelector('.type:not(.hidden)');
    part.classList.toggle('hidden', empty || !fits(wanted.category, part.id));
  }
  document.querySelector('#nothing').classList.toggle('none', all('.category:not(.hidden)').length > 0);
}
for (const button of all('button[data-filter]')) button.onclick = () => {
  const set = wanted[button.dataset.filter], value = button.dataset.value;
  set.has(value) ? set.delete(value) : set.add(value);
  button.setAttribute('aria-pressed', set.has(value));
  refresh();
};
for (const button of all('button[data-view]')) button.onclick = () => {
  document.body.dataset.view = button.dataset.view;
  for (const other of all('button[data-view]')) other.setAttribute('aria-pressed', other === button);
};
document.querySelector('#theme').onclick = () => {
  root.dataset.theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
};
search.oninput = refresh;
for (const [key, value] of new URLSearchParams(location.search)) {  // ?category=cube&level=9&view=clean&type=count
  const given = CSS.escape(value);
  if (key === 'type') search.value = value;
  if (key === 'view') document.querySelector(`button[data-view=${given}]`)?.click();
  if (key in wanted) document.querySelector(`button[data-filter=${key}][data-value="${given}"]`)?.click();
}
refresh();
const dialog = document.querySelector('dialog');
document.querySelector('main').onclick = event => {
  if (event.target.tagName !== 'IMG') return;
  dialog.querySelector('img').src = event.target.src;
  dialog.showModal();
};
dialog.onclick = () => dialog.close();
"""
