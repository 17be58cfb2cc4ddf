// The shapes of icons, as strokes on a grid of 16.

export const PLUS = "M8 3v10M3 8h10";
export const COPY = "M6 6h7v7H6zM3 10V3h7";
export const TRASH = "M3 4.500h10M6.500 4.500V3h3v1.500M4.500 4.500 5 13h6l.5-8.500M7 7v3.500M9 7v3.500";
export const CROSS = "M4 4l8 8M12 4l-8 8";
export const AGAIN = "M13 8a5 5 0 1 1-1.500-3.600M13 2.500v3h-3";
export const SEARCH = "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.600 10.600 14 14";
export const UP = "M8 13V3M4 7l4-4 4 4";
export const DOWN = "M8 3v10M4 9l4 4 4-4";
export const LEFT = "M10 3 5 8l5 5";
export const RIGHT = "M6 3l5 5-5 5";
export const FIRST = "M11 3 6 8l5 5M4 3v10";
export const LAST = "M5 3l5 5-5 5M12 3v10";
export const PEN = "M3 13l.7-3L11 2.700 13.300 5 6 12.300z";
export const PLUG = "M6 2v4M10 2v4M4 6h8v2a4 4 0 0 1-8 0zM8 12v3";
