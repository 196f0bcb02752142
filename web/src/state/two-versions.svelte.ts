// How many files wait for their two versions to be joined: for the mark in the navigation. What they are is found out by
// a part of the page that is fetched when it is needed.
class TwoVersions {
  count = $state(0);

  /** Counts again. */
  async look(): Promise<void> {
    const { waiting } = await import('../merge/waiting');
    this.count = (await waiting()).filter(({ stand }) => stand === 'open' || stand === 'gone').length;
  }
}

export const twoVersions = new TwoVersions();
