import { describe, expect, it } from 'vitest';
import { fitScale, isLarger, keepInside, zoomAt } from './zoom';

const picture = { width: 4000, height: 3000 };
const stage = { width: 1000, height: 600 };

describe('looking at a picture', () => {
  it('fits it whole, and never blows it up', () => {
    expect(fitScale(picture, stage)).toBe(0.2);
    expect(fitScale({ width: 100, height: 100 }, stage)).toBe(1);
    expect(fitScale({ width: 0, height: 0 }, stage)).toBe(1);
  });
  it('zooms about the point under the finger', () => {
    const view = zoomAt({ scale: 0.5, x: 0, y: 0 }, 2, 100, 50, picture, stage);
    expect(view).toEqual({ scale: 1, x: -100, y: -50 });
  });
  it('stops at the whole picture and at sixteen times', () => {
    expect(zoomAt({ scale: 0.3, x: 40, y: 0 }, 0.1, 0, 0, picture, stage)).toEqual({
      scale: 0.2,
      x: 0,
      y: 0,
    });
    expect(zoomAt({ scale: 12, x: 0, y: 0 }, 4, 0, 0, picture, stage).scale).toBe(16);
  });
  it('shows no empty band while there is more on the other side', () => {
    expect(keepInside({ scale: 1, x: 9999, y: -9999 }, picture, stage)).toEqual({
      scale: 1,
      x: 1500,
      y: -1200,
    });
    expect(keepInside({ scale: 0.2, x: 9, y: 9 }, picture, stage)).toMatchObject({ x: 0, y: 0 });
  });
  it('knows whether there is something to move', () => {
    expect(isLarger({ scale: 0.2, x: 0, y: 0 }, picture, stage)).toBe(false);
    expect(isLarger({ scale: 0.3, x: 0, y: 0 }, picture, stage)).toBe(true);
  });
});
