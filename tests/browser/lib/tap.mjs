/**
 * Ears on the wire between the browser and a server: every byte both ways, kept and passed on unchanged. What the
 * browser never received or sent cannot have been seen by any script in it.
 */
import { connect, createServer } from 'node:net';

export class Tap {
  #conversations = [];
  #server;
  #sockets = new Set();

  /** @param {number} port the server to listen in on */
  static async on(port) {
    const tap = new Tap();
    tap.#server = createServer((near) => {
      const far = connect(port, '127.0.0.1');
      const heard = { down: [], up: [] };
      tap.#conversations.push(heard);
      for (const [from, to, kept] of [[near, far, heard.up], [far, near, heard.down]]) {
        tap.#sockets.add(from);
        from.on('data', (chunk) => {
          kept.push(chunk);
          to.write(chunk);
        });
        from.on('end', () => to.end());
        from.on('error', () => to.destroy());
        from.on('close', () => {
          to.destroy();
          tap.#sockets.delete(from);
        });
      }
    });
    await new Promise((resolve) => tap.#server.listen(0, '127.0.0.1', resolve));
    tap.port = tap.#server.address().port;
    return tap;
  }

  /** Everything heard, as text in which every byte is one character. */
  get heard() {
    const text = (chunks) => Buffer.concat(chunks).toString('latin1');
    return this.#conversations.flatMap(({ down, up }) => [text(down), text(up)]).join('\n');
  }

  close() {
    this.#sockets.forEach((socket) => socket.destroy());
    return new Promise((resolve) => this.#server.close(resolve));
  }
}
