/** The few things every view does with the document. No view builds markup from text: templates and textContent only. */

/** A fresh copy of a `<template>` of index.html. @param {string} id */
export function fromTemplate(id) {
  const template = document.getElementById(id);
  if (!(template instanceof HTMLTemplateElement)) throw new Error(`no template ${id}`);
  return /** @type {DocumentFragment} */ (template.content.cloneNode(true));
}

/**
 * The element a view cannot do without.
 * @param {ParentNode} root @param {string} selector @returns {any}
 */
export function need(root, selector) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`no element ${selector}`);
  return found;
}

/** @param {ParentNode} root @param {string} name @returns {any} the element marked `data-part="name"` */
export function part(root, name) {
  return need(root, `[data-part="${name}"]`);
}

/** @param {string} label @param {() => void} run @param {string} [className] */
export function button(label, run, className = 'button secondary small') {
  const element = document.createElement('button');
  element.type = 'button';
  element.className = className;
  element.textContent = label;
  element.addEventListener('click', run);
  return element;
}

/**
 * Moves focus where reading should go on, and only when it would otherwise be lost.
 * @param {HTMLElement|null|undefined} target
 */
export function focusOn(target) {
  target?.focus({ preventScroll: false });
}

/** @param {Date|number} when @param {HTMLTimeElement} element @param {string} text */
export function setTime(element, when, text) {
  element.dateTime = new Date(when).toISOString();
  element.textContent = text;
}

/**
 * Says something to screen readers without moving anything.
 * @param {string} text
 */
export function announce(text) {
  const announcer = need(document, '#announcer');
  // The same words twice in a row are two events: emptying first makes the second one heard.
  announcer.textContent = '';
  requestAnimationFrame(() => {
    announcer.textContent = text;
  });
}
