/** The engine and its compose, as commands. Knows nothing of what runs in the containers. */
import { execFile, execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** `docker …`: what it prints. */
export function docker(...args) {
  return execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 << 20 }).trim();
}

/** What the engine knows of a container, an image or a volume. */
export const inspect = (name) => JSON.parse(docker('inspect', name))[0];

/** How a command ends: exit status and everything that it printed. */
export function outcome(command, ...args) {
  return new Promise((resolve) => {
    execFile(command, args, { encoding: 'utf8', maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      resolve({ status: error ? (error.code ?? -1) : 0, output: stdout + stderr });
    });
  });
}

/** Runs a container to its end. */
export const run = (...args) => outcome('docker', 'run', '--rm', ...args);

/** Compose as a plugin where there is one; otherwise the program of that name. */
const COMPOSE = (() => {
  try {
    execFileSync('docker', ['compose', 'version'], { stdio: 'ignore' });
    return ['docker', 'compose'];
  } catch {
    return ['docker-compose'];
  }
})();

/** A compose project: one folder, some of its files. */
export class Project {
  /** Files of `folder`; none for those that compose reads by itself. */
  constructor(folder, name, files = []) {
    this.folder = `${ROOT}/${folder}`;
    this.name = name;
    this.files = files;
  }

  /** The same project with other files. */
  with(...files) {
    const other = new Project('', this.name, files);
    other.folder = this.folder;
    return other;
  }

  /** `docker compose …`: what it prints; an error with its own words if it fails. */
  compose(...args) {
    const files = this.files.flatMap((file) => ['--file', file]);
    try {
      const [program, ...plugin] = COMPOSE;
      return execFileSync(program, [...plugin, '--project-name', this.name, ...files, ...args], {
        cwd: this.folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 << 20,
      });
    } catch (error) {
      throw new Error(`${COMPOSE.join(' ')} ${args.join(' ')}: ${error.stdout}${error.stderr}`);
    }
  }

  /** The containers of a service that run. */
  containers(service) {
    return this.compose('ps', '--quiet', service).split('\n').filter(Boolean);
  }

  /** Ends everything and forgets what it kept. */
  down() {
    this.compose('down', '--volumes', '--remove-orphans', '--timeout', '5');
  }

  /** What its containers logged. */
  logs(...services) {
    return this.compose('logs', '--no-color', '--tail', '80', ...services);
  }
}

/** Kills a container's process as a crash would: the engine's restart policy has to bring it back. */
export function crash(container) {
  const { State } = inspect(container);
  process.kill(State.Pid, 'SIGKILL');
  return State.StartedAt;
}

/** Waits until a check holds; what it said last if it does not. */
export async function eventually(what, check, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  let last;
  for (;;) {
    try {
      const found = await check();
      if (found) return found;
      last = found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s; at last: ${last?.message ?? last}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Whether a container is up again after `crash`, and healthy if it knows. */
export function isUp(container, since) {
  const { State } = inspect(container);
  return State.Running && State.StartedAt !== since && (State.Health?.Status ?? 'healthy') === 'healthy';
}
