// The geometry of looking at a picture: scale and place, pure numbers. Knows no DOM.

export interface Size {
  width: number;
  height: number;
}

/** How the picture lies on the stage: `scale` of its own pixels, its middle moved by x, y from the stage's. */
export interface View {
  scale: number;
  x: number;
  y: number;
}

const MOST = 16;
/** One press of a key or button. */
export const STEP = 1.35;

/** The scale at which the whole picture is seen; never larger than its own size. */
export function fitScale(picture: Size, stage: Size): number {
  if (!picture.width || !picture.height) return 1;
  return Math.min(1, stage.width / picture.width, stage.height / picture.height);
}

/** Zooms by `factor` so that the point at `px`, `py` (from the stage's middle) stays where it is. */
export function zoomAt(view: View, factor: number, px: number, py: number, picture: Size, stage: Size): View {
  const least = Math.min(fitScale(picture, stage), 1);
  const scale = Math.min(MOST, Math.max(least, view.scale * factor));
  const by = scale / view.scale;
  return keepInside({ scale, x: px - (px - view.x) * by, y: py - (py - view.y) * by }, picture, stage);
}

/** Moves the picture so that no empty band shows on a side while there is more of it on the other. */
export function keepInside(view: View, picture: Size, stage: Size): View {
  const limit = (extent: number, room: number) => Math.max(0, (extent * view.scale - room) / 2);
  const clamp = (value: number, most: number) => Math.min(most, Math.max(-most, value));
  return {
    scale: view.scale,
    x: clamp(view.x, limit(picture.width, stage.width)),
    y: clamp(view.y, limit(picture.height, stage.height)),
  };
}

/** True if the picture is larger than the stage, so that there is something to move. */
export function isLarger(view: View, picture: Size, stage: Size): boolean {
  return picture.width * view.scale > stage.width + 1 || picture.height * view.scale > stage.height + 1;
}
