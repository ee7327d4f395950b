"""The script of the preview: pointing at a fact, also inside an e-mail, shows it everywhere. Nothing needs it."""

from __future__ import annotations

SCRIPT = r"""
const factOf = path => { for (const e of path) { const m = e.classList && [...e.classList].map(c => /^f(\d+)$/.exec(c)).find(Boolean); if (m) return m[1] } return null };
let shown = null;
const show = (message, fact) => {
  if (shown) shown[0].style.cssText = '';
  shown = null;
  if (!message || fact === null || !document.querySelector('#facts-on').checked) return;
  shown = [message, fact];
  const all = getComputedStyle(document.documentElement);
  for (let n = 0; all.getPropertyValue('--c' + n); n++) {
    if (n == fact) { message.style.setProperty('--f' + n, 'color-mix(in srgb, var(--c' + n + ') 42%, transparent)'); message.style.setProperty('--o' + n, '2px') }
    else { message.style.setProperty('--f' + n, 'transparent'); message.style.setProperty('--l' + n, 'transparent') }
  }
};
document.addEventListener('pointerover', e => {
  const message = e.target.closest('.message'), fact = factOf(e.composedPath());
  if (message && fact !== null) { const name = message.querySelector('.c' + fact + ' em'); if (name && e.target.closest('.cell')) e.composedPath()[0].title = name.textContent }
  if ((shown && shown[1]) !== fact) show(message, fact);
});
"""
