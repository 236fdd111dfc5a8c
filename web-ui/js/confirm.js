/** One question before something that cannot be taken back. Escape and "Cancel" mean no; focus returns to where it was. */
import { need } from './dom.js';

/**
 * @param {{title: string, text: string, yes: string}} words
 * @param {AbortSignal} signal ends the question unanswered, when what it is about is gone
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, yes }, signal) {
  const dialog = /** @type {HTMLDialogElement} */ (need(document, '#confirm'));
  need(dialog, 'h2').textContent = title;
  need(dialog, '#confirm-text').textContent = text;
  need(dialog, '[value="yes"]').textContent = yes;
  dialog.returnValue = '';
  signal.addEventListener('abort', () => dialog.close(), { once: true });
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      // The question names what is nobody's business once the session is over.
      for (const each of dialog.querySelectorAll('h2, p')) each.textContent = '';
      resolve(dialog.returnValue === 'yes' && !signal.aborted);
    }, { once: true });
    dialog.showModal();
  });
}
