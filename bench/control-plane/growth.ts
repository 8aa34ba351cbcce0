import { Scene, type SceneSize } from "./scene.ts";

/** What one change costs in a mesh, in ms of the control plane's CPU. */
export interface ChangeCosts {
  readonly endpoint: number;
  readonly join: number;
  readonly route: number;
}

/**
 * The CPU that one change takes in a mesh of this size, with so few clients
 * that the mesh itself is what is measured: an endpoint that turns well or
 * unwell, an instance that joins a service, a route that changes. One after the
 * other, each waited for until every client has acknowledged it.
 */
export async function costsOfChange(size: SceneSize, rounds: number): Promise<ChangeCosts> {
  const scene = new Scene(size);
  try {
    await scene.start();
    await scene.connectClients();
    const each = async (change: (round: number) => void) => {
      // The first ones compile what the others run.
      for (let round = 0; round < 5; round += 1) await settled(scene, () => change(round));
      const before = process.cpuUsage();
      for (let round = 5; round < rounds + 5; round += 1) await settled(scene, () => change(round));
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1e3 / rounds;
    };
    return {
      endpoint: await each((round) => scene.changeEndpoint(round * 7_919)),
      join: await each((round) => scene.join(round)),
      route: await each(() => scene.changeRoute()),
    };
  } finally {
    await scene.close();
  }
}

async function settled(scene: Scene, change: () => void): Promise<void> {
  change();
  await scene.plane.idle();
  await scene.untilSynced(1);
}
