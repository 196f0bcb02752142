// What is in a folder that is offered, as a tree: made of the paths that were told with the offer. Pure.

export interface Twig {
  name: string;
  /** Empty for a file, and for a folder of which nothing more was told. */
  inside: Twig[];
}

/** Paths in the folder (`a/b`), told in any order, some of them perhaps missing. */
export function treeOf(paths: readonly string[]): Twig[] {
  const root: Twig = { name: '', inside: [] };
  for (const path of paths) grow(root, path.split('/').filter(Boolean));
  return root.inside;
}

function grow(twig: Twig, [name, ...rest]: string[]): void {
  if (name === undefined) return;
  let next = twig.inside.find((one) => one.name === name);
  if (!next) twig.inside.push((next = { name, inside: [] }));
  grow(next, rest);
}

/** How many of them are no folders, as far as one can tell. */
export const leavesOf = (tree: readonly Twig[]): number =>
  tree.reduce((sum, { inside }) => sum + (inside.length > 0 ? leavesOf(inside) : 1), 0);
