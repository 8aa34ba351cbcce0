import assert from "node:assert/strict";
import { join } from "node:path";
import { asNobody, freePorts, isRoot, type Scene } from "./scene.ts";

/** Something a person gets wrong on the command line, and what is said: the one error, and its next step. */
export interface Misuse {
  readonly name: string;
  readonly args: (scene: Scene) => readonly string[] | Promise<readonly string[]>;
  readonly code: number;
  /** All of the error behind `weft: `. */
  readonly says: RegExp;
  /** All of the line behind `next: `. */
  readonly next: RegExp;
  readonly env?: (scene: Scene) => NodeJS.ProcessEnv;
  /** What runs the command. */
  readonly prefix?: readonly string[];
  readonly skip?: string | undefined;
}

/** What the commands of a mesh refuse. */
export const misuses: readonly Misuse[] = [
  {
    name: "a file that does not exist",
    args: () => ["apply", "-f", "missing.yaml"],
    code: 2,
    says: /^-f missing\.yaml: does not exist$/,
    next: /path/,
  },
  {
    name: "a file with nothing in it",
    args: (scene) => ["apply", "-f", scene.inFile("empty.yaml", "# later\n---\n")],
    code: 1,
    says: /^empty\.yaml: nothing to apply$/,
    next: /Service, VirtualService/,
  },
  {
    name: "a port that is in use",
    args: (scene) => scene.controlPlane("other", "--port", scene.mesh.controlPlane.split(":")[1]!),
    code: 1,
    says: /^cannot listen on 127\.0\.0\.1:\d+: the address is in use$/,
    next: /choose another with --port$/,
  },
  {
    name: "a second port that is in use",
    args: (scene) => scene.controlPlane("other", "--http-port", scene.mesh.controlPlane.split(":")[1]!),
    code: 1,
    says: /^cannot listen on 127\.0\.0\.1:\d+: the address is in use$/,
    next: /choose another with --http-port$/,
  },
  {
    name: "an address of another machine",
    args: (scene) => scene.controlPlane("other", "--address", "192.0.2.1", "--plain-address", "127.0.0.1"),
    code: 1,
    says: /^cannot listen on 192\.0\.2\.1:0: this machine has no such address$/,
    next: /--address$/,
  },
  {
    name: "a state directory of another trust domain",
    args: async (scene) => {
      // It makes its state and ends, for the port is in use.
      await scene.weft(scene.controlPlane("made", "--port", scene.mesh.controlPlane.split(":")[1]!));
      return scene.controlPlane("made", "--trust-domain", "other.test");
    },
    code: 1,
    says: /^the state in .*made belongs to trust domain cluster\.local, not other\.test$/,
    next: /--trust-domain cluster\.local, or with another --state/,
  },
  {
    name: "a trust domain that is none",
    args: (scene) => scene.controlPlane("other", "--trust-domain", "Other!"),
    code: 2,
    says: /^--trust-domain: "Other!" is not a trust domain/,
    next: /cluster\.local/,
  },
  {
    name: "a state directory that another user owns",
    args: (scene) => ["control-plane", "--state", join(scene.directory, "private"), ...freePorts],
    prefix: asNobody,
    code: 1,
    says: /^the state directory .*private cannot be used: no permission$/,
    next: /--state$/,
  },
  {
    name: "a state directory that may not be made",
    args: (scene) => ["control-plane", "--state", join(scene.directory, "closed", "state"), ...freePorts],
    prefix: asNobody,
    code: 1,
    says: /^the state directory .*closed\/state cannot be used: no permission$/,
    next: /--state$/,
  },
  {
    name: "a state directory where there can be none",
    args: () => ["control-plane", "--state", "/proc/weft/state", ...freePorts],
    code: 1,
    says: /^the state directory \/proc\/weft\/state cannot be used: does not exist$/,
    next: /--state$/,
  },
  {
    name: "a second control plane on one state",
    args: (scene) => ["control-plane", "--state", scene.mesh.state, ...freePorts],
    code: 1,
    says: /^another control plane \(pid \d+\) is running on the state directory \S+$/,
    next: /stop it, or .* --state/,
  },
  {
    name: "a configuration directory that is not there",
    args: (scene) => scene.controlPlane("other", "--config", "nowhere"),
    code: 1,
    says: /^--config nowhere cannot be read: /,
    next: /directory of YAML/,
  },
  {
    name: "an expired join token",
    args: async (scene) => {
      const expired = await scene.token("late", "--ttl", "1s");
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      return scene.run(["--token", expired]);
    },
    code: 1,
    says: /^--token: refused by the control plane: the join token is not known, has expired or was used already$/,
    next: /weft token create/,
  },
  {
    name: "a join token that was used before",
    args: async (scene) => {
      const used = await scene.token("late");
      const first = scene.run(["--token", used, "--run-dir", join(scene.directory, "first")]);
      assert.equal((await scene.mesh.weft(...first)).code, 0);
      return scene.run(["--token", used]);
    },
    code: 1,
    says: /^--token: refused by the control plane: .* was used already$/,
    next: /weft token create/,
  },
  {
    name: "a join token that is none",
    args: (scene) => scene.run(["--token", "let-me-in"]),
    code: 2,
    says: /^--token: this is not a join token/,
    next: /weft token create --service-account/,
  },
  {
    name: "a join token that is cut off",
    args: async (scene) => scene.run(["--token", (await scene.token("late")).slice(0, -3)]),
    code: 2,
    says: /^--token: the join token is cut off or changed$/,
    next: /weft token create --service-account/,
  },
  {
    name: "a join token of another control plane",
    args: async (scene) =>
      scene.run(["--token", `${(await scene.token("late")).slice(0, -43)}${"A".repeat(43)}`]),
    code: 1,
    says: /^--control-plane 127\.0\.0\.1:\d+: /,
    next: /create a token at this control plane/,
  },
  {
    name: "a join token for another identity",
    args: async (scene) => scene.run(["--token", await scene.token("other")]),
    code: 1,
    says: /the request is for spiffe:\S+\/sa\/late, but the join token is for spiffe:\S+\/sa\/other/,
    next: /--service-account/,
  },
  {
    name: "no join token",
    args: (scene) => scene.run([]),
    code: 1,
    says: /^no join token, and no identity from an earlier run$/,
    next: /--token-file FILE/,
  },
  {
    name: "a token file that does not exist",
    args: (scene) => scene.run(["--token-file", "missing.token"]),
    code: 1,
    says: /^--token-file missing\.token: does not exist$/,
    next: /weft token create .*> FILE/,
  },
  {
    name: "another trust domain than the control plane's",
    args: async (scene) => scene.run(["--token", await scene.token("late"), "--trust-domain", "other.test"]),
    code: 1,
    says: /^--trust-domain other\.test: the control plane at 127\.0\.0\.1:\d+ is of another /,
    next: /weft check/,
  },
  {
    name: "a program that does not exist",
    args: (scene) => scene.run(["--token", "unused"], "no-such-program"),
    code: 127,
    says: /^no-such-program: command not found$/,
    next: /PATH/,
  },
  {
    name: "no command",
    args: () => ["run", "--name", "late"],
    code: 2,
    says: /^no command to run$/,
    next: /^write it after --, as in: weft run --name web -- node app\.js$/,
  },
  {
    name: "a flag nobody knows",
    args: () => ["run", "--name", "late", "--prot", "1", "--", "true"],
    code: 2,
    says: /^unknown option '--prot'\n\(Did you mean --port\?\)$/,
    next: /^weft run --help$/,
  },
  {
    name: "a port that is none",
    args: () => ["run", "--name", "late", "--port", "99999:http", "--", "true"],
    code: 2,
    says: /^option '--port .*' argument '99999:http' is invalid\. a port is a number from 1 to 65535\.$/,
    next: /^weft run --help$/,
  },
  {
    name: "interception without root",
    args: () => ["run", "--name", "late", "--capture", "nft", "--", "true"],
    prefix: asNobody,
    code: 1,
    says: /^--capture nft needs root$/,
    next: /sudo.*--capture none/,
  },
  {
    name: "an address that another workload has",
    args: async (scene) =>
      scene.run(["--token", await scene.token("late"), "--address", scene.mesh.addressOf(1)]),
    code: 1,
    says: /^--address (\S+): the sidecar cannot listen on \1:15000: the address is in use$/,
    next: /an address of its own with --address$/,
  },
  {
    name: "an upstream port that something else has",
    args: async (scene) => {
      const upstream = `web:9080=${scene.mesh.addressOf(2)}:20000`;
      return scene.run(["--token", await scene.token("late"), "--upstream", upstream]);
    },
    code: 1,
    says: /^--upstream (web:9080=(\S+)): the sidecar cannot listen on \2: the address is in use$/,
    next: /another port behind the =$/,
  },
  {
    name: "a run directory where there can be none",
    args: async (scene) => scene.run(["--token", await scene.token("late"), "--run-dir", "/proc/weft/run"]),
    code: 1,
    says: /^the run directory \/proc\/weft\/run cannot be made: does not exist$/,
    next: /--run-dir/,
  },
  {
    name: "no control plane for a command",
    args: () => ["status"],
    env: (scene) => ({ WEFT_STATE: join(scene.directory, "nowhere") }),
    code: 3,
    says: /^no control plane answers on \S+nowhere\/api\.sock$/,
    next: /weft control-plane.*--state/,
  },
  {
    name: "a control plane of another user",
    args: () => ["status"],
    prefix: asNobody,
    skip: isRoot ? undefined : "needs root to be somebody else",
    code: 3,
    says: /^no permission to use \S+api\.sock$/,
    next: /user who runs the control plane/,
  },
  {
    name: "a command nobody knows",
    args: () => ["aply"],
    code: 2,
    says: /^unknown command 'aply'\n\(Did you mean apply\?\)$/,
    next: /^weft --help$/,
  },
];
